type View = Uint8Array | Float64Array;

/**
 * What all objects held that hang together, to be put back into the same objects: whoever refers to one of them goes on referring to it. Far
 * cheaper than `encodeGraph`, and worth nothing outside of the process.
 */
export class Bookmark {
  private readonly views: View[] = [];
  private readonly numbers: View[] = [];
  private readonly arrays: unknown[][] = [];
  private readonly elements: (readonly unknown[])[] = [];
  private readonly maps: Map<unknown, unknown>[] = [];
  private readonly entries: (readonly (readonly [unknown, unknown])[])[] = [];
  private readonly sets: Set<unknown>[] = [];
  private readonly members: (readonly unknown[])[] = [];
  /** Fields, one after the other: of which object, its name, its value. */
  private readonly owners: Record<string, unknown>[] = [];
  private readonly fields: string[] = [];
  private readonly values: unknown[] = [];

  /** @param root everything that it leads to is kept, but for buffers without a view */
  constructor(root: object) {
    const known = new Set([root]);
    const see = (value: unknown): void => {
      if (typeof value === 'object' && value !== null) known.add(value);
    };
    // What is added meanwhile is come to, too.
    for (const object of known) this.note(object, see);
  }

  /** Makes all objects what they were; fields that an object got since stay. */
  putBack(): void {
    const { views, arrays, maps, sets, owners, fields, values } = this;
    for (let i = 0; i < views.length; i++) views[i]!.set(this.numbers[i]!);
    for (let i = 0; i < arrays.length; i++) {
      const elements = this.elements[i]!;
      arrays[i]!.length = elements.length;
      for (let k = 0; k < elements.length; k++) arrays[i]![k] = elements[k];
    }
    for (let i = 0; i < maps.length; i++) {
      maps[i]!.clear();
      for (const [key, value] of this.entries[i]!) maps[i]!.set(key, value);
    }
    for (let i = 0; i < sets.length; i++) {
      sets[i]!.clear();
      for (const member of this.members[i]!) sets[i]!.add(member);
    }
    for (let i = 0; i < owners.length; i++) {
      const value = values[i];
      // Most have not changed, and a look is cheaper than a store.
      if (owners[i]![fields[i]!] !== value) owners[i]![fields[i]!] = value;
    }
  }

  private note(object: object, see: (value: unknown) => void): void {
    if (ArrayBuffer.isView(object)) {
      const view = object as View;
      if (view.length > 0) {
        this.views.push(view);
        this.numbers.push(view.slice());
      }
    } else if (Array.isArray(object)) {
      this.arrays.push(object);
      this.elements.push(object.slice());
      object.forEach(see);
    } else if (object instanceof Map) {
      this.maps.push(object);
      this.entries.push([...(object as Map<unknown, unknown>)]);
      for (const [key, value] of object as Map<unknown, unknown>) {
        see(key);
        see(value);
      }
    } else if (object instanceof Set) {
      this.sets.push(object);
      this.members.push([...(object as Set<unknown>)]);
      object.forEach(see);
    } else {
      for (const [field, value] of Object.entries(object)) {
        this.owners.push(object as Record<string, unknown>);
        this.fields.push(field);
        this.values.push(value);
        see(value);
      }
    }
  }
}
