import { InvalidArgumentError } from 'commander';

const NANOSECONDS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9 };
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `--seed`: a whole number of 32 bits. */
export function seedArgument(text: string): number {
  return wholeNumber(text, 0, 0xffff_ffff, 'a seed');
}

/** `--port`: 0 takes any free port. */
export function portArgument(text: string): number {
  return wholeNumber(text, 0, 65535, 'a port');
}

/** A count such as a sequence number. */
export function countArgument(text: string): number {
  return wholeNumber(text, 0, Number.MAX_SAFE_INTEGER, 'a number');
}

/** An address in bytes, decimal or `0x…`. */
export function addressArgument(text: string): number {
  const value = Number(text);
  if (!/^(\d+|0x[0-9a-fA-F]+)$/.test(text) || value >= 2 ** 52)
    throw new InvalidArgumentError('Expected an address below 2^52, decimal or such as 0x40200000.');
  return value;
}

/** `--speed`: virtual seconds per wall second; `0` or `max` = as fast as it goes. */
export function speedArgument(text: string): number {
  if (text === 'max') return 0;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 1e6) {
    throw new InvalidArgumentError('A speed is virtual seconds per wall second, such as 0.01; 0 or max is as fast as it goes.');
  }
  return value;
}

/** A duration of virtual time, such as `10ms`. @returns nanoseconds */
export function durationArgument(text: string): number {
  const value = measured(text, NANOSECONDS);
  if (value === undefined || value < 1) throw new InvalidArgumentError('A duration is a number with ns, us, ms, s or m, such as 10ms.');
  return Math.floor(value);
}

/** A size, such as `2GiB`. @returns bytes */
export function bytesArgument(text: string): number {
  const value = measured(text, BYTES);
  if (value === undefined || value < 1) throw new InvalidArgumentError('A size is a number with B, KiB, MiB, GiB or TiB, such as 2GiB.');
  return Math.floor(value);
}

function wholeNumber(text: string, min: number, max: number, what: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new InvalidArgumentError(`Expected ${what}: a whole number from ${min} to ${max}.`);
  return value;
}

function measured(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(\p{L}+)$/u.exec(text);
  const unit = match === null ? undefined : units[match[2]!];
  return unit === undefined ? undefined : Number(match![1]) * unit;
}
