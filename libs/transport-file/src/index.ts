export { FileSink, type FileSinkOptions } from './file-sink.ts';
export { FileSource, type FileSourceOptions } from './file-source.ts';
export { openIndexedLog } from './file-bytes.ts';
export { repairLog, type Repair } from './repair-log.ts';
