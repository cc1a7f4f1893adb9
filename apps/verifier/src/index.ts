export { VerifyingSink } from './verifying-sink.ts';
export type { News } from './violation-news.ts';
