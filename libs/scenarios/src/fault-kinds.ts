import type { FaultSpec } from './scenario-schema.ts';

/** A kind of fault that a scenario, or a user of a running lab, may inject. */
export interface FaultKind<K extends FaultSpec['kind'] = FaultSpec['kind']> {
  readonly title: string;
  /** What happens, and what is to be seen of it. */
  readonly description: string;
  /** The fault as it is injected when nobody says more. */
  readonly preset: Extract<FaultSpec, { readonly kind: K }>;
}

/** All kinds of fault, by name: a kind that the schema knows and this table does not fails to type-check. */
export const FAULT_KINDS: { readonly [K in FaultSpec['kind']]: FaultKind<K> } = {
  'preempted-walkers': {
    title: 'Preempted walker',
    description:
      'The first vCPU is taken off its CPU for 8 ms in the middle of one walk in a hundred: grace periods wait for it and pending frees grow; locks that it holds make others wait.',
    preset: { kind: 'preempted-walkers', durationNs: 8_000_000, level: 0, oneIn: 100, vcpus: 1 },
  },
  'slow-tlbi': {
    title: 'Slow TLBI',
    description:
      'One in about fifty commands of an actor makes its next broadcast TLBI take 200 µs longer: break-before-make keeps the descriptor locked meanwhile, and others are turned away from it.',
    preset: { kind: 'slow-tlbi', durationNs: 200_000, oneIn: 50 },
  },
  'empty-cache': {
    title: 'Empty table cache',
    description:
      'When table pages are needed next, the cache is empty and no more are to be had: the fault ends with -ENOMEM and the guest takes it again. Once in about twenty commands.',
    preset: { kind: 'empty-cache', pages: 0, oneIn: 20 },
  },
  'stalled-grace-periods': {
    title: 'Stalled grace periods',
    description: 'The reclaim worker is held up for 4 ms once in about 500 commands: what is retired stays pending.',
    preset: { kind: 'stalled-grace-periods', durationNs: 4_000_000, oneIn: 500 },
  },
};
