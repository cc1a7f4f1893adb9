/*
 * What travels from the lab to the page for the dashboards: the names of the series, then a row of their values every second. Plain JSON.
 */

/** One time series: a metric, or a part of a histogram, with its labels. Its number is its place in the order in which they came. */
export interface MetricSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** All series at one moment. */
export interface MetricRow {
  /** Wall time, seconds since 1970. */
  readonly t: number;
  /** By number of the series; null, or beyond the end: it was not there. */
  readonly values: readonly (number | null)[];
}
