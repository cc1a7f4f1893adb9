import { RecordingError } from './golden-line.ts';

/** Longest string or word. @source casemate 3.0.2: 511 characters */
const TOKEN_MAX = 511;

const LF = 10;
const TAB = 9;
const SPACE = 32;
const BANG = 33;
const QUOTE = 34;
const OPEN = 40;
const CLOSE = 41;

/** What a scanner stands on. */
export const TOKEN = { end: 0, open: 1, close: 2, string: 3, word: 4 } as const;

/**
 * Tokens of a casemate trace, one at a time: brackets, strings without escapes, words. Newlines, tabs and spaces separate them; a
 * carriage return does not, and becomes part of a word.
 * @source casemate 3.0.2, trace format
 */
export class CasemateScanner {
  private readonly text: string;
  private at = 0;
  /** Kind of the current token, one of TOKEN. */
  kind: number = TOKEN.end;
  /** Text of a string or word. */
  value = '';
  /** Records begun so far: the number of the one being read is one less. */
  records = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Whether another record follows; a `!` where one could start ends the trace. */
  begin(): boolean {
    this.skipBlanks();
    if (this.at >= this.text.length || this.text.charCodeAt(this.at) === BANG) return false;
    this.records += 1;
    this.next();
    this.take(TOKEN.open, 'a record, which begins with "("');
    return true;
  }

  /** Goes to the next token. */
  next(): void {
    this.skipBlanks();
    const { text } = this;
    if (this.at >= text.length) {
      this.kind = TOKEN.end;
      return;
    }
    const from = this.at;
    const c = text.charCodeAt(from);
    if (c === OPEN || c === CLOSE) {
      this.kind = c === OPEN ? TOKEN.open : TOKEN.close;
      this.at = from + 1;
      return;
    }
    if (c === QUOTE) {
      const end = text.indexOf('"', from + 1);
      if (end < 0 || end - from > TOKEN_MAX) throw this.wrong('a string that is closed within 511 characters');
      this.kind = TOKEN.string;
      this.value = text.slice(from + 1, end);
      this.at = end + 1;
      return;
    }
    let end = from;
    while (end < text.length && !endsWord(text.charCodeAt(end))) end += 1;
    if (end - from > TOKEN_MAX) throw this.wrong('a word of at most 511 characters');
    this.kind = TOKEN.word;
    this.value = text.slice(from, end);
    this.at = end;
  }

  /** Checks the kind of the current token and goes on. */
  take(kind: number, what: string): string {
    if (this.kind !== kind) throw this.wrong(what);
    const { value } = this;
    this.next();
    return value;
  }

  /** The value of field `key`: `(key value)`, or the bare value. */
  field(key: string, kind: number): string {
    if (this.kind !== TOKEN.open) return this.take(kind, `the field (${key} …)`);
    this.next();
    if (this.value !== key) throw this.wrong(`the field (${key} …)`);
    this.take(TOKEN.word, `the field (${key} …)`);
    const value = this.take(kind, `a value of the field ${key}`);
    this.take(TOKEN.close, `the end of the field ${key}`);
    return value;
  }

  /** Checks that the record ends here. Nothing is read ahead: a "!" that follows is no token. */
  end(): void {
    if (this.kind !== TOKEN.close) throw this.wrong('the end of the record');
  }

  /** An error that names record and line. */
  wrong(wanted: string): RecordingError {
    const found =
      this.kind === TOKEN.end
        ? 'the end of the trace'
        : this.kind === TOKEN.word || this.kind === TOKEN.string
          ? short(this.value)
          : 'a bracket';
    let line = 1;
    for (let i = this.text.indexOf('\n'); i >= 0 && i < this.at; i = this.text.indexOf('\n', i + 1)) line += 1;
    return new RecordingError(line, `record ${Math.max(0, this.records - 1)}: ${found} where ${wanted} must stand`);
  }

  private skipBlanks(): void {
    const { text } = this;
    while (this.at < text.length) {
      const c = text.charCodeAt(this.at);
      if (c !== SPACE && c !== LF && c !== TAB) return;
      this.at += 1;
    }
  }
}

function endsWord(c: number): boolean {
  return c === SPACE || c === LF || c === TAB || c === OPEN || c === CLOSE;
}

function short(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
