import { describe, expect, it } from 'vitest';
import { cited, close, open, place, restore, split, withReferences, withoutMarks, withoutTail } from '../src/text/citations';

const known = (n: number) => n >= 1 && n <= 6;
const m = (...ns: number[]) => ns.map((n) => open + n + close).join('');

describe('place', () => {
  it.each([
    ['a [1].', `a${m(1)}.`],
    ['a[1][2] b', `a${m(1)}${m(2)} b`],
    ['the interval [1, 3], [0, 1]', 'the interval [1, 3], [0, 1]'], // the server writes one number a mark
    ['array[0] and [12]', 'array[0] and [12]'], // no sources: brackets are brackets
    ['[x] [1a] [ 1 ] [] [01] [2024]', '[x] [1a] [ 1 ] [] [01] [2024]'],
    ['[1](http://x)', `${m(1)}(http://x)`],
    ['[1]: http://x', `${m(1)}: http://x`],
    [`forged ${open}3${close} mark`, 'forged 3 mark'],
  ])('%s', (text, want) => expect(place(text, known)).toBe(want));

  it('is undone by restore', () => expect(restore(place('a[1][2]', known))).toBe('a[1][2]'));
});

describe('withoutTail', () => {
  it.each([
    ['text [', 'text'], ['text [1', 'text'], ['text [12', 'text'], ['text [1,', 'text [1,'], ['text [0', 'text [0'],
    ['text [1]', 'text [1]'], ['text [1][', 'text [1]'], ['text [a', 'text [a'], ['a [b](c', 'a [b](c'], ['', ''],
  ])('%j', (text, want) => expect(withoutTail(text)).toBe(want));

  it('never shows a piece of a mark while text arrives letter by letter', () => {
    const whole = 'First [1], then [2][3]. Last [1][6].';
    for (let i = 0; i <= whole.length; i++) {
      expect(place(withoutTail(whole.slice(0, i)), known)).not.toMatch(/\[/);
    }
  });
});

it('split cuts at marks', () => {
  expect(split(place('a [1] b[2]', known))).toEqual(['a', 1, ' b', 2]);
  expect(split('none')).toEqual(['none']);
  expect(split('')).toEqual([]);
});

it('cited lists known numbers once, in order', () => {
  expect(cited('a [3] b [1][3] c [9] d [0] `x[2]`', known)).toEqual([3, 1]);
});

it('withoutMarks leaves the words', () => {
  expect(withoutMarks('The rent [1] is due [2][3].')).toBe('The rent is due.');
});

it.each(['`a[1]` and ``b`[2]``', '```go\nx[1]\n```', '> ~~~\n> x[1]\n> ~~~', '```\nnever closed[1]', 'x[0], [2024]'])('withoutMarks leaves %j', (text) => {
  expect(withoutMarks(`So [1]:\n${text}`)).toBe(`So:\n${text}`);
  expect(withoutMarks(`${text}\n\nend.`)).toBe(`${text}\n\nend.`);
});

describe('withReferences', () => {
  const sources = [
    { n: 1, title: 'Lease', path: 'contracts/lease.pdf', page: 2, heading: '§ 3 Rent' },
    { n: 2, title: '', path: 'notes.txt' },
    { n: 3, title: 'Unused', path: 'unused.md' },
  ];
  it('lists what is cited', () => {
    expect(withReferences('Rent [1], notes [2].', sources)).toBe(
      'Rent [1], notes [2].\n\n[1] Lease (contracts/lease.pdf, p. 2, § 3 Rent)\n[2] notes.txt (notes.txt)',
    );
  });
  it('adds nothing to an answer without marks', () => expect(withReferences('None.', sources)).toBe('None.'));
});
