/** A check that cannot be carried out as it was given. The message is one line. */
export class CheckError extends Error {
  override readonly name = 'CheckError';
}
