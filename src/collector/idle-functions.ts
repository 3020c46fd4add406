/**
 * Functions that nobody calls on this machine, for they belong to Linux security modules that are built into its kernel and not active:
 * distributions build several, of which one at most labels packets. Which ones are active is settled at boot.
 */

/** Those of a module by its prefix. */
const prefixes = [
  ['selinux_', 'selinux'],
  ['smack_', 'smack'],
  ['apparmor_', 'apparmor'],
  ['tomoyo_', 'tomoyo'],
  ['bpf_lsm_', 'bpf'],
] as const;

/**
 * NetLabel's for the label of a packet (include/net/netlabel.h), what it does for them in IP options, and the audit of one (security/
 * lsm_audit.c): only these two modules ask for them. What checks the options of every packet (cipso_v4_validate()) is none of them.
 */
const ofLabels =
  /^(?:netlbl_(?:skbuff_(?:getattr|setattr|err)|cache_add)|(?:cipso_v4|calipso)_(?:skbuff_(?:set|del)attr|optptr)|calipso_skbuff_optptr|ipv[46]_skb_to_auditdata)$/;
const labelling = ['selinux', 'smack'] as const;

/** Whether nobody calls the function; `active`: src/kernel/security-modules.ts, undefined if that is not known. */
export function isIdle(name: string, active: ReadonlySet<string> | undefined): boolean {
  if (active === undefined) return false;
  if (ofLabels.test(name)) return !labelling.some((module) => active.has(module));
  const module = prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
  return module !== undefined && !active.has(module);
}
