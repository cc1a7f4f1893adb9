export * from './address.ts';
export * from './geometry.ts';
export * from './descriptor.ts';
