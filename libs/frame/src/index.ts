export * from './arrow-schema.ts';
export * from './frame-codec.ts';
export * from './node-frame-codec.ts';
export * from './message-layout.ts';
export * from './frame-header.ts';
export * from './encode-frame.ts';
export * from './decode-frame.ts';
export * from './decode-schema.ts';
