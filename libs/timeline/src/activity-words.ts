import { hexAddress } from '@s2lab/arch';
import { ACCESS, FAULT, LOCK_MODE, OP, OPERATION, codeName } from '@s2lab/events';
import type { Activity } from './actor-activity.ts';

/** Why an actor does what it does now: its walks, innermost first, and what they are for. Empty when it is in nothing. */
export function reasonText(activity: Activity): string {
  const { walks, operation, fault, reclaim } = activity;
  const parts = walks.map(({ walk, op, ipa, bytes }) => `walk ${walk} (${codeName(OP, op)} ${rangeText(ipa, bytes)})`);
  if (reclaim !== null) parts.push(`reclaim of table ${reclaim.table}`);
  if (fault !== null)
    parts.push(
      `${codeName(FAULT, fault.fault)} fault (${codeName(ACCESS, fault.access)}) at ${hexAddress(fault.ipa)}, event ${fault.since}`,
    );
  if (operation !== null)
    parts.push(
      `operation ${codeName(OPERATION, operation.operation)} ${rangeText(operation.ipa, operation.bytes)}, event ${operation.since}`,
    );
  return parts.join(', for ');
}

/** All that an actor is doing, on one line. */
export function activityText(activity: Activity): string {
  const { place, lock, waits, section } = activity;
  const reason = reasonText(activity);
  const parts = [reason === '' ? 'idle' : reason];
  if (place !== null)
    parts.push(
      `${place.hardware ? 'hardware walk' : ''} at table ${place.table} slot ${place.slot} level ${place.level} (IPA ${hexAddress(place.ipa)})`.trim(),
    );
  if (waits !== null) parts.push(`WAITS for the MMU lock to ${modeName(waits.mode)} since event ${waits.since}`);
  if (lock !== null) parts.push(`holds the MMU lock to ${modeName(lock.mode)} since event ${lock.since}`);
  if (section !== null) parts.push(`in a read-side section since event ${section.since}`);
  return parts.join('; ');
}

function modeName(mode: number): string {
  return codeName(LOCK_MODE, mode);
}

function rangeText(ipa: number, bytes: number): string {
  return `[${hexAddress(ipa)}, +${hexAddress(bytes)})`;
}
