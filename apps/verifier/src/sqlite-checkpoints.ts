import { DatabaseSync } from 'node:sqlite';
import type { CheckpointStore } from './checkpoint.ts';

/** How long to wait for another verifier that writes the same file, milliseconds. */
const BUSY_MS = 5_000;

/** Checkpoints in an SQLite file on this machine; verifiers of this machine may share it. */
export class SqliteCheckpoints implements CheckpointStore {
  private readonly database: DatabaseSync;
  private readonly owner: string;

  /**
   * @param owner names topic and group, so that others may use the same file
   * @throws the driver’s error when the file cannot be opened or is no database
   */
  constructor(path: string, owner: string) {
    this.owner = owner;
    this.database = new DatabaseSync(path, { timeout: BUSY_MS });
    // A transaction that was committed is on disk, whatever becomes of the machine.
    this.database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS checkpoints (owner TEXT, part INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (owner, part)) STRICT',
    );
  }

  async load(partitions: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const statement = this.database.prepare('SELECT bytes FROM checkpoints WHERE owner = ? AND part = ?');
    const found = new Map<number, Uint8Array>();
    for (const partition of partitions) {
      const row = statement.get(this.owner, partition) as { readonly bytes: Uint8Array } | undefined;
      if (row !== undefined) found.set(partition, row.bytes);
    }
    return found;
  }

  async save(partition: number, bytes: Uint8Array): Promise<void> {
    this.database.prepare('INSERT OR REPLACE INTO checkpoints (owner, part, bytes) VALUES (?, ?, ?)').run(this.owner, partition, bytes);
  }

  async close(): Promise<void> {
    this.database.close();
  }
}
