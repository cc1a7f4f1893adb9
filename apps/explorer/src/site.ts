/** What a page can show, as `site.json` beside it says: a server makes it as it runs, a static site has it as a file. */
export interface Site {
  /** A lab runs behind the page: `api/live` streams its samples. */
  readonly live: boolean;
  /** Where the log comes from: `api` = a server that answers questions about it; else the path of a log file beside the page, or none. */
  readonly log: { readonly from: 'api' } | { readonly from: 'file'; readonly path: string } | null;
}
