/**
 * Moves labels down until each is at least `gap` below the one above it, in the order of their
 * wishes; of equal wishes the later one gives way. Answers in the order of the wishes given.
 */
export function spreadOut(wishes: readonly number[], gap: number): number[] {
  const placed = [...wishes];
  const byWish = wishes.map((wish, index) => ({ wish, index })).sort((a, b) => a.wish - b.wish);
  let free = -Infinity;
  for (const { wish, index } of byWish) {
    placed[index] = Math.max(wish, free);
    free = Math.max(wish, free) + gap;
  }
  return placed;
}
