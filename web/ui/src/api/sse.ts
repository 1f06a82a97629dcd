// Server-sent events out of a stream of bytes that may be cut anywhere: in the
// middle of a line, of a CRLF, of a UTF-8 sequence.
// The format is the one of the HTML standard, section "Server-sent events".

export interface ServerEvent {
  event: string;
  data: string;
  id: string; // the last id seen so far, '' if none
}

const longest = 16 << 20; // characters of one event; more is not a stream of ours

export class EventParser {
  #text = '';
  #from = 0; // up to here #text has been searched for a line end
  #data: string[] = [];
  #size = 0;
  #event = '';
  #id = '';
  #first = true;

  constructor(private readonly emit: (e: ServerEvent) => void) {}

  /** The id of the last line that had one; an event without data counts as well. */
  get lastId(): string {
    return this.#id;
  }

  /** Takes the next piece of text. */
  push(piece: string): void {
    if (piece === '') return;
    if (this.#first) {
      this.#first = false;
      if (piece.charCodeAt(0) === 0xfeff) piece = piece.slice(1);
    }
    this.#text += piece;
    let at = 0;
    let search = this.#from;
    for (;;) {
      let end = search;
      while (end < this.#text.length) {
        const c = this.#text.charCodeAt(end);
        if (c === 10 || c === 13) break;
        end++;
      }
      if (end >= this.#text.length) break;
      let next = end + 1;
      if (this.#text.charCodeAt(end) === 13) {
        if (next === this.#text.length) break; // a line feed may follow in the next piece
        if (this.#text.charCodeAt(next) === 10) next++;
      }
      this.#line(this.#text.slice(at, end));
      at = search = next;
    }
    this.#text = this.#text.slice(at);
    this.#from = this.#text.endsWith('\r') ? this.#text.length - 1 : this.#text.length;
    if (this.#text.length + this.#size > longest) {
      throw new Error('an event of the stream is longer than 16 MiB');
    }
  }

  /** Ends the stream: what is not closed by an empty line is dropped, as the standard asks. */
  end(): void {
    if (this.#text.endsWith('\r')) {
      this.#line(this.#text.slice(0, -1));
    }
    this.#text = '';
    this.#from = 0;
    this.#data = [];
    this.#size = 0;
    this.#event = '';
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data.length > 0) {
        this.emit({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id });
      }
      this.#data = [];
      this.#size = 0;
      this.#event = '';
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment: the server's heartbeat
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    switch (field) {
      case 'data':
        this.#data.push(value);
        this.#size += value.length;
        break;
      case 'event':
        this.#event = value;
        break;
      case 'id':
        if (!value.includes('\0')) this.#id = value;
    }
  }
}

/** Reads a body to its end, one event after another. Stops when the signal of its request does. */
export async function* events(
  body: ReadableStream<Uint8Array>,
  alive?: (lastId: string) => void,
): AsyncGenerator<ServerEvent> {
  const ready: ServerEvent[] = [];
  const parser = new EventParser((e) => ready.push(e));
  const utf8 = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (value) {
        parser.push(utf8.decode(value, { stream: true }));
        alive?.(parser.lastId);
      }
      if (done) {
        parser.push(utf8.decode());
        parser.end();
      }
      yield* ready.splice(0);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
