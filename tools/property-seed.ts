// Loaded before each spec: gives fast-check the seed in this module's own address, `property-seed.ts?seed=N`, so that a run of the specs can be repeated.
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(new URL(import.meta.url).searchParams.get('seed')) });
