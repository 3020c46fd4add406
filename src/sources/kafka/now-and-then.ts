/** Does `look` every `ms`, never twice at once; what does not work now may work the next time. Gives what ends that. */
export function nowAndThen(ms: number, look: () => Promise<void>): () => void {
  let looking = false;
  const clock = setInterval(() => {
    if (looking) return;
    looking = true;
    void look()
      .catch(() => undefined)
      .finally(() => (looking = false));
  }, ms);
  return () => {
    clearInterval(clock);
  };
}
