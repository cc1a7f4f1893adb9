/** A recording that is not what the format says; the message names the line. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  readonly line: number;

  constructor(line: number, what: string) {
    super(`recording, line ${line}: ${what}`);
    this.line = line;
  }
}

/** A 64-bit value as two unsigned halves. */
export interface Halves {
  readonly lo: number;
  readonly hi: number;
}

const HEX = /^0x[0-9a-f]{1,16}$/i;

/** One line of a recording: its fields, read with checks. Every reader throws a RecordingError that names the line. */
export class GoldenLine {
  readonly number: number;
  private readonly fields: Readonly<Record<string, unknown>>;

  /** @throws RecordingError when `text` is not a JSON object. */
  constructor(number: number, text: string) {
    this.number = number;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new RecordingError(number, `not JSON (${(error as Error).message})`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RecordingError(number, 'not a JSON object');
    this.fields = value as Record<string, unknown>;
  }

  /** Whether the line has the field `name`. */
  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  /** Whether the field `name` is a list with an element that ends in `end`. */
  lists(name: string, end: string): boolean {
    const list = this.fields[name];
    return Array.isArray(list) && list.some((element) => typeof element === 'string' && element.endsWith(end));
  }

  isNull(name: string): boolean {
    return this.fields[name] === null;
  }

  /** A whole number between `min` and `max`. */
  whole(name: string, min: number, max: number): number {
    const value = this.fields[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.wrong(name, `a whole number from ${min} to ${max}`);
  }

  text(name: string): string {
    const value = this.fields[name];
    if (typeof value === 'string') return value;
    throw this.wrong(name, 'text');
  }

  /** A 64-bit hex value. */
  halves(name: string): Halves {
    return this.wide(name, this.fields[name]);
  }

  /** An address or size in bytes, below 2^53. */
  bytes(name: string): number {
    return this.exact(name, this.fields[name]);
  }

  /** Element `i` of `args`, a decimal or hex number. */
  argument(i: number): number {
    const list = this.fields['args'];
    if (!Array.isArray(list) || i >= list.length) throw this.wrong('args', `a list of at least ${i + 1} numbers`);
    return this.exact(`args[${i}]`, list[i]);
  }

  /** Whether `args` has an element `i`. */
  hasArgument(i: number): boolean {
    const list = this.fields['args'];
    return Array.isArray(list) && i < list.length;
  }

  /** Element `i` of `args`, a 64-bit hex value. */
  argumentHalves(i: number): Halves {
    return this.wide(`args[${i}]`, this.argumentText(i));
  }

  /** Element `i` of `args` as text. */
  argumentText(i: number): string {
    const list = this.fields['args'];
    const value: unknown = Array.isArray(list) ? list[i] : undefined;
    if (typeof value === 'string') return value;
    throw this.wrong(`args[${i}]`, 'text');
  }

  /** The error for a field that is not what it must be. */
  wrong(name: string, expected: string): RecordingError {
    const value = this.fields[name];
    return new RecordingError(
      this.number,
      `field "${name}" is ${value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60)}; it must be ${expected}`,
    );
  }

  private wide(name: string, value: unknown): Halves {
    if (typeof value !== 'string' || !HEX.test(value)) throw this.wrong(name, 'a 64-bit hex number');
    const digits = value.slice(2);
    const cut = Math.max(0, digits.length - 8);
    return { lo: Number.parseInt(digits.slice(cut), 16), hi: cut === 0 ? 0 : Number.parseInt(digits.slice(0, cut), 16) };
  }

  private exact(name: string, value: unknown): number {
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
    throw this.wrong(name, 'a number of bytes below 2^53');
  }
}
