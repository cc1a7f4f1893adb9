export { VerifyingSink } from './verifying-sink.ts';
