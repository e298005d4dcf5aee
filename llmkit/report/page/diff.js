// What changed between two texts, word by word: the longest common subsequence of their words. Texts too long for that
// are compared line by line, and beyond that not at all.

const MOST_CELLS = 4_000_000;
const WORDS = /\s+|[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu;
const LINES = /[^\n]*\n|[^\n]+$/g;

function difference(before, now) {
  for (const pattern of [WORDS, LINES]) {
    const old = before.match(pattern) || [];
    const fresh = now.match(pattern) || [];
    const found = aligned(old, fresh);
    if (found) return found;
  }
  return { before: [[before, true]], now: [[now, true]] };
}

function aligned(old, fresh) {
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start++;
  let end = 0;
  while (end < old.length - start && end < fresh.length - start && old.at(-1 - end) === fresh.at(-1 - end)) end++;
  const a = old.slice(start, old.length - end);
  const b = fresh.slice(start, fresh.length - end);
  if (a.length * b.length > MOST_CELLS) return null;
  const same = common(a, b);
  return {
    before: runs(old, (place) => place >= start && place < old.length - end && !same.a.has(place - start)),
    now: runs(fresh, (place) => place >= start && place < fresh.length - end && !same.b.has(place - start)),
  };
}

function common(a, b) {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      table[at] = a[i] === b[j] ? table[at + width + 1] + 1 : Math.max(table[at + width], table[at + 1]);
    }
  }
  const same = { a: new Set(), b: new Set() };
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const at = i * width + j;
    if (a[i] === b[j]) {
      same.a.add(i++);
      same.b.add(j++);
    } else if (table[at + width] >= table[at + 1]) i++;
    else j++;
  }
  return same;
}

function runs(words, isChanged) {
  const found = [];
  const between = (place) => words[place].trim() === "" && place > 0 && place + 1 < words.length && isChanged(place - 1) && isChanged(place + 1);
  words.forEach((word, place) => {
    const changed = isChanged(place) || between(place);
    if (found.length && found.at(-1)[1] === changed) found.at(-1)[0].push(word);
    else found.push([[word], changed]);
  });
  return found.map(([parts, changed]) => [parts.join(""), changed]);
}

function marked(parts, name) {
  const box = el("pre", { class: "said-text", dir: "auto", tabindex: 0 });
  for (const [text, changed] of parts) {
    if (changed) box.append(el(name, {}, shown(text)));
    else box.append(...shown(text));
  }
  return box;
}
