/** How an imported recording names itself. */
export interface GoldenOptions {
  /** Run id of the frames; default `golden-` and the script's name. */
  readonly run?: string;
  readonly machine?: number;
}
