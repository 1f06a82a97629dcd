import { describe, expect, it } from 'vitest';
import { place } from '../src/text/citations';
import { blocks, render, renderPassage, sanitise, withPassage } from '../src/text/markdown';
import { pointsOf, unitOf } from '../src/text/points';

function html(nodes: Node[]): string {
  const div = document.createElement('div');
  div.append(...nodes);
  return div.innerHTML;
}
const show = (text: string, cite?: (n: number) => Node) => html(blocks(text).map((b) => render(b, cite)));
const button = (n: number) => Object.assign(document.createElement('button'), { textContent: String(n) });

describe('rendering', () => {
  it('puts headings below those of the page', () => {
    expect(show('# A\n\n### B\n\n###### C')).toMatch(/<h3[^>]*>A<\/h3>[^]*<h5[^>]*>B<\/h5>[^]*<h6[^>]*>C<\/h6>/);
    expect(show('A\n\n## B')).toMatch(/<h3[^>]*>B<\/h3>/); // none is left out
  });
  it('lets every block run as its language does, and code from left to right', () => {
    expect(show('مرحبا\n\n- [1]\n\n| a |\n|---|\n| b |\n\n```\nx\n```')).toMatch(/<p dir="auto">[^]*<ul dir="auto">[^]*<div [^>]*dir="auto"><table>[^]*<pre [^>]*dir="ltr"/);
  });
  it('makes marks buttons, but not in code', () => {
    const text = place('See [1] and `a[1]`.\n\n```\nb[1]\n```\n\n| x [2] |\n|---|\n| y |', () => true);
    const out = show(text, button).replaceAll('\u2060', '');
    expect(out).toContain('See<button>1</button> and <code>a[1]</code>.');
    expect(out).toContain('b[1]\n</code>');
    expect(out).toContain('x<button>2</button>');
  });
  it('does not take a mark for a link or a definition', () => {
    expect(show(place('As in [1](see below).', () => true), button)).toContain('<button>1</button>(see below)');
    expect(show(place('[1]: the lease', () => true), button)).toContain('<button>1</button>: the lease');
  });
  it('shows what an image would say instead of loading it', () => {
    expect(show('![a cat](https://example.org/cat.png) ![](x.png)')).not.toContain('<img');
    expect(show('![a <cat>](https://example.org/cat.png)')).toContain('<em>[a &lt;cat&gt;]</em>');
  });
  it('keeps outside links, without a trace of where one comes from, and no others', () => {
    expect(show('[a](https://example.org/)')).toContain('<a href="https://example.org/" target="_blank" rel="noopener noreferrer">a</a>');
    expect(show('[a](../b.md) [c](/d) [e](#f)')).not.toContain('<a');
  });
});

// Strings that have broken other pages.
const hostile = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<svg><script>alert(1)</script></svg>',
  '<a href="javascript:alert(1)">x</a>', '[x](javascript:alert(1))', '[x](JaVaScRiPt:alert(1))', '[x](java\tscript:alert(1))',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)', '[x](vbscript:msgbox(1))', '<iframe src="https://x"></iframe>',
  '<object data="x"></object>', '<embed src="x">', '<form action="https://x"><input name=a><button>go</button></form>',
  '<style>*{display:none}</style>', '<p style="position:fixed;inset:0">x</p>', '<div class="modal" id="app">x</div>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">', '<template><img src=x onerror=alert(1)></template>',
  '<base href="https://x/">', '<meta http-equiv="refresh" content="0;url=https://x">', '<link rel=stylesheet href="https://x">',
  '<video><source onerror="alert(1)"></video>', '<details open ontoggle=alert(1)>x</details>', '<input autofocus onfocus=alert(1)>',
  '<a href="https://x" onclick="alert(1)" target="_self" style="color:red">x</a>', '<img srcset="https://x 1x">',
  '```html\n<script>alert(1)</script>\n```', '`<img src=x onerror=alert(1)>`', '![x](x" onerror="alert(1))', '<https://x" onclick="alert(1)>',
  '<a href=" &#14; javascript:alert(1)">x</a>', '<button class="cite" data-n="1">1</button>', '<x onclick=alert(1)>', '<!--<img src="--><img src=x onerror=alert(1)//">',
  '<table background="javascript:alert(1)"><tr><td background="https://x">x</td></tr></table>', '<textarea></textarea><script>1</script>',
  '<select><option>x</option></select>', '<dialog open>log in</dialog>', '<marquee onstart=alert(1)>', '<p aria-label="Close" role="button" tabindex="0">x</p>',
];
const tags = new Set(
  ('P BR HR H1 H2 H3 H4 H5 H6 UL OL LI DL DT DD BLOCKQUOTE PRE CODE KBD SAMP STRONG B EM I DEL S U SUB SUP SMALL ABBR CITE Q ' +
    'TABLE CAPTION THEAD TBODY TFOOT TR TH TD A SPAN DIV MARK').split(' '),
);
const attributes = new Set(['href', 'title', 'start', 'align', 'colspan', 'rowspan', 'lang', 'dir', 'target', 'rel', 'tabindex', 'class']);

function assertHarmless(root: DocumentFragment): void {
  for (const e of root.querySelectorAll('*')) {
    expect(tags, e.outerHTML).toContain(e.tagName);
    for (const a of e.attributes) expect(attributes, e.outerHTML).toContain(a.name);
    if (e.hasAttribute('class')) expect(e.outerHTML).toMatch(/^<div class="frame" tabindex="0"( dir="auto")?><table/);
    if (e.hasAttribute('tabindex')) expect(e.tagName === 'PRE' || e.className === 'frame', e.outerHTML).toBe(true);
    if (e.tagName === 'A') {
      expect((e as HTMLAnchorElement).getAttribute('href')).toMatch(/^(https?:|mailto:)/i);
      expect((e as HTMLAnchorElement).rel).toBe('noopener noreferrer');
    }
  }
}

describe('sanitising', () => {
  it.each(hostile)('%j', (text) => {
    assertHarmless(sanitise(text));
    for (const around of [text, `para ${text} para`, `- ${text}`, `> ${text}`, `| ${text} |\n|---|\n| ${text} |`, `# ${text}`]) {
      for (const b of blocks(around)) {
        assertHarmless(render(b));
        assertHarmless(renderPassage(b, 1, b.raw.length - 1));
      }
    }
  });
});

describe('the passage in its document', () => {
  const marked = (text: string, start: number, end: number) => {
    const root = document.createElement('div');
    for (const p of withPassage(text, start, end)) root.append(p.from < p.to ? renderPassage(p.block, p.from, p.to) : render(p.block));
    return { root, text: [...root.querySelectorAll('mark')].map((e) => e.textContent).join('|') };
  };
  const between = (text: string, passage: string) => {
    const at = text.indexOf(passage);
    const start = pointsOf(text.slice(0, at));
    return marked(text, start, start + pointsOf(passage));
  };

  it.each<[string, string, string, string]>([
    ['a paragraph', 'One.\n\nTwo words.\n\nThree.', 'Two words.', 'Two words.'],
    ['a sentence', 'One. Two words. Three.', 'Two words.', 'Two words.'],
    ['over several paragraphs', 'A b.\n\nC d.\n\nE f.', 'b.\n\nC d.\n\nE', 'b.|C d.|E'],
    ['over bold text', 'It is **28 €** a day, always.', 'is **28 €** a day', 'is |28 €| a day'],
    ['bold text alone', 'It is **28 €** a day.', '**28 €**', '28 €'],
    ['behind characters outside of the first plane', '😀😀 smile. Then more.', 'Then more.', 'Then more.'],
    ['a heading', 'x\n\n## The rent\n\ny', '## The rent', 'The rent'],
    ['a part of a heading marks all of it', '## The rent of it\n\ny', 'rent', 'The rent of it'],
    ['an item', '- one\n- two\n- three', '- two', 'two'],
    ['numbered items', '1. one\n2. two\n3. three', '2. two\n3. three', 'two|three'],
    ['a row of a table', '| a | b |\n|---|---|\n| c | d |\n| e | f |', '| c | d |', 'c|d'],
    ['a table', '| a | b |\n|---|---|\n| c | d |', '| a | b |\n|---|---|\n| c | d |', 'a|b|c|d'],
    ['from the ruler of a table on', '| a | b |\n|---|---|\n| c | d |\n| e | f |', '|---|---|\n| c | d |', 'c|d'],
    ['a line of code', '```\none\ntwo\nthree\n```', 'two', 'two'],
    ['from a fence on', '```go\none\ntwo\n```', '```go\none', 'one'],
    ['a quotation', '> one\n> two', '> two', 'two'],
    ['windows line ends', 'One.\r\n\r\nTwo.\r\n\r\nThree.', 'Two.', 'Two.'],
  ])('%s', (_, text, passage, want) => {
    const got = between(text, passage);
    expect(got.text.replace(/\s*\n\s*/g, '')).toBe(want);
    expect(got.root.textContent).not.toMatch(/[\uE0F0-\uE0F3]/);
  });

  it('marks something and keeps the text for any place in any text', () => {
    const text = '# T\n\nA **b** c [d](https://e) `f`.\n\n- g\n  - h\n- i\n\n| j | k |\n|:--|--:|\n| l | m |\n\n```\nn\n```\n\n> o\n\n1. p\n\n<b>q</b> r\n\n***\n\n_s_ t';
    const plain = withPassage(text, 0, 0).map((p) => render(p.block).textContent);
    expect(withPassage(text, 0, 0).every((p) => p.from >= p.to)).toBe(true);
    const n = pointsOf(text);
    for (let start = 0; start < n; start++) {
      for (const length of [1, 12, n]) {
        let shown = '';
        withPassage(text, start, Math.min(start + length, n)).forEach((p, i) => {
          if (p.from >= p.to) return;
          const fragment = renderPassage(p.block, p.from, p.to);
          expect(fragment.textContent).toBe(plain[i]);
          shown += [...fragment.querySelectorAll('mark')].map((m) => m.textContent).join('');
        });
        const passage = text.slice(start, start + length);
        if (length > 1 && /[a-z]/i.test(passage.replace('https://e', ''))) expect(shown, passage).not.toBe('');
      }
    }
  });
});

describe('offsets', () => {
  it('convert code points and units', () => {
    expect(pointsOf('a😀漢')).toBe(3);
    expect(unitOf('a😀漢', 2)).toBe(3);
    expect(unitOf('a😀漢', 99)).toBe(4);
    expect(unitOf('abc', 0)).toBe(0);
  });
});
