export { FileSink, type FileSinkOptions } from './file-sink.ts';
export { FileSource } from './file-source.ts';
export { IndexedLog, type IndexedFrame } from './indexed-log.ts';
export { LogFileError } from './log-file-error.ts';
export { repairLog, type Repair } from './repair-log.ts';
