/** What a finding is about: the part of the profile that it breaks. */
type Concern = 'break-before-make' | 'locks' | 'ownership' | 'memory' | 'roots' | 'limits';

/**
 * What the profile can find: in our words, and as casemate 3.0.2 puts it (its spelling), so that verdicts can be compared.
 * @source github.com/rems-project/casemate 3.0.2 (BSD-2-Clause), semantics described anew
 */
export const FINDINGS = {
  liveChange: ['break-before-make', 'a valid descriptor was replaced by another valid one without a break', 'BBM valid->valid'],
  madeUnclean: [
    'break-before-make',
    'a descriptor was made valid while its old translation may still be cached',
    'BBM invalid unclean->valid',
  ],
  uncleanChildren: [
    'break-before-make',
    'a table was cut off and flushed while an entry below it was not flushed yet',
    'BBM write table descriptor with unclean children',
  ],
  uncleanParent: [
    'break-before-make',
    'an entry below a table that was cut off but is not flushed yet was changed',
    'Wrote on a page with an unclean parent',
  ],
  releasedUnclean: [
    'break-before-make',
    'a root was released while an entry below it was not flushed yet',
    'cannot release table where children are still unclean',
  ],
  rootWithoutLock: ['locks', 'the tree of the entry has no lock', 'must have associated root with a lock'],
  writeWithoutLock: ['locks', 'the lock of the entry’s tree is not held by who wrote it', 'must write to pte while holding owner lock'],
  plainWrite: [
    'locks',
    'a second store since lock or DSB that concerns a valid descriptor has no release semantics',
    'Wrote plain without authorization',
  ],
  lockedAlready: ['locks', 'the lock is held already', 'Tried to lock a component that was alerady held'],
  triedElsewhere: ['locks', 'the lock is held by another', 'Tried to reacquire lock on different thread'],
  unlockedFree: ['locks', 'the lock is not held', 'Tried to unlock a component that was not held'],
  unlockedElsewhere: ['locks', 'the lock is held by another', 'Tried to unlock a cpmponent that was held by another thread'],
  locksAtOnce: ['limits', 'more than 64 locks are held at once', 'Tried to acquire too many locks at once'],
  rootLocks: ['limits', 'more than 64 trees have a lock', "can't associate lock, not enough free lock slots"],
  foreignEntry: ['ownership', 'the entry belongs to another thread', 'Location owned by a thread but accessed by another'],
  frozenOwned: [
    'ownership',
    'a table was cut off although an entry below it belongs to a thread',
    'Cannot freeze a location that is thread-locally owned',
  ],
  ownerOfNothing: ['ownership', 'memory that is not followed has no entry to own', 'cannot set thread owner for uninitialised PTE'],
  ownerOfMemory: ['ownership', 'the memory is no entry of a table in use', 'cannot set thread owner for non PTE'],
  ownerOfTable: ['ownership', 'only entries of level 3 can belong to a thread', 'cannot set thread owner for non-final-level PTE'],
  ownedTwice: ['ownership', 'the page is part of a tree already', 'cannot change owned root if already in a tree'],
  writtenUnknown: ['memory', 'the memory written is not followed', 'Attempted write to uninitialised location'],
  initialisedUsed: ['memory', 'memory was handed in that is in use or does not hold zeros', 'cannot initialise used location'],
  freedEntry: ['memory', 'memory was given back that holds an entry of a table in use', "can't free location which is currently a PTE"],
  entryTwice: ['memory', 'a table page is used in two places', 'double-use pte'],
  entryNever: ['memory', 'a page of the table was no table', 'unmark non-PTE'],
  walkUnknown: ['memory', 'a table leads to memory that is not followed', 'Saw uninitialised PTE on pgtable traversal'],
  badEncoding: ['memory', 'a descriptor is valid but means nothing at its level', 'Saw invalid pte encoding'],
  el2Asid: ['roots', 'TTBR0_EL2 names an ASID, which is reserved', 'TTBR0_EL2 ASID is reserved 0'],
  rootOtherId: ['roots', 'the root is known by another VMID', 'root already associated with an (VM/AS)ID'],
  sameId: ['roots', 'another root has that VMID', 'duplicate (VM/AS)ID'],
  manyRoots: ['limits', 'there are more than 64 roots', 'too many roots'],
  noRoot: ['roots', 'the table released is no root', 'root does not exist'],
  rootInUse: ['roots', 'the root released is still loaded by a thread', 'cannot release table still in use'],
  nsh: ['limits', 'a DSB NSH stood where one of the inner shareable domain is needed', 'Unsupported DSB NSH'],
  localTlbi: ['limits', 'a TLBI of this core alone stood where one of all cores is needed', 'Unsupported TLBI (expected broadcast)'],
  addressBits: ['limits', 'the size of input addresses is none of 21 to 48 bits', 'unsupported input address size'],
  granule: ['limits', 'the granule is not 4 KiB', 'crash: assertion failed: discover_page_size(stage) == PAGE_SIZE'],
  concatenated: [
    'limits',
    'the root is several concatenated tables',
    'crash: assertion failed: discover_nr_concatenated_pgtables(stage) == 0',
  ],
  filledPart: ['limits', 'what is filled is not whole pages', 'crash: assertion failed: IS_PAGE_ALIGNED(phys_addr)'],
  noRootLoaded: ['limits', 'the thread has no root loaded whose VMID the TLBI could use', 'crash: signal'],
  tooMuchMemory: ['limits', 'more than 8192 pages of memory are followed', 'crash: assertion failed: the_ghost_state'],
} as const satisfies Readonly<Record<string, readonly [Concern, string, string]>>;

/** Name of a finding. */
export type Finding = keyof typeof FINDINGS;
