/** How an imported recording names itself. */
export interface GoldenOptions {
  /** Run id of the frames; default `golden-` and the script's name. */
  readonly run?: string;
  readonly machine?: number;
}

/** Bit of `features` in stage2-created: the library asks for cache maintenance of every mapping, also where FWB makes it needless. */
export const FEATURE_TELLS_CACHES = 256;
