/** The kernel's types as expressions walk them: members of members, through pointers. src/kernel/btf-members.ts knows them. */

/** What a value is made of. */
export type ValueType =
  /** A number of 1, 2, 4 or 8 bytes. Enums and bool are numbers too. */
  | {
      readonly kind: 'number';
      readonly bytes: number;
      readonly signed: boolean;
      readonly bigEndian: boolean;
    }
  /** To a struct, or to what cannot be looked into (undefined). */
  | { readonly kind: 'pointer'; readonly to: number | undefined }
  | { readonly kind: 'struct'; readonly id: number }
  | {
      readonly kind: 'array';
      readonly element: ValueType;
      readonly bytes: number;
      readonly count: number;
    };

export interface Member {
  readonly type: ValueType;
  readonly offsetBits: number;
  /** 0: not a bit-field. */
  readonly bitfieldBits: number;
}

export interface StructTypes {
  /** Id of a struct by its name. */
  struct(name: string): number | undefined;
  name(id: number): string;
  /** A member of a struct or union, anonymous ones looked through. */
  member(id: number, name: string): Member | undefined;
  memberNames(id: number): readonly string[];
}
