// Offsets: the server counts code points, JavaScript UTF-16 units.

/** Index in UTF-16 units of a place counted in code points. */
export function unitOf(text: string, points: number): number {
  let unit = 0;
  for (let i = 0; i < points && unit < text.length; i++) {
    unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
  }
  return unit;
}

/** Length in code points. */
export function pointsOf(text: string): number {
  let n = 0;
  for (let unit = 0; unit < text.length; n++) unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
  return n;
}
