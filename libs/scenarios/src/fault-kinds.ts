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
    preset: { kind: 'preempted-walkers', durationNs: 8_000_000, oneIn: 100, vcpus: 1 },
  },
};
