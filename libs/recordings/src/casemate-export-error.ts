/** A log that casemate cannot be told: the message says why. */
export class CasemateExportError extends Error {
  override readonly name = 'CasemateExportError';
}
