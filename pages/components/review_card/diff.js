// What changed between two answers, word by word.

const MOST_CELLS = 1_000_000 // of the table that finds the longest common part; above, the middle is one change

const wordsOf = text => text.match(/\s+|[\p{L}\p{N}\p{M}_]+|./gsu) ?? []

// a list of [kind, text], kind being same, out or in
function wordChanges(before, after) {
  const left = wordsOf(before), right = wordsOf(after)
  let start = 0, end = 0
  while (start < left.length && start < right.length && left[start] === right[start]) start++
  while (end < left.length - start && end < right.length - start && left[left.length - 1 - end] === right[right.length - 1 - end]) end++
  const parts = [
    ...left.slice(0, start).map(word => ['same', word]),
    ...middleChanges(left.slice(start, left.length - end), right.slice(start, right.length - end)),
    ...left.slice(left.length - end).map(word => ['same', word]),
  ]
  return parts.reduce((merged, [kind, word]) => {
    const last = merged[merged.length - 1]
    if (last?.[0] === kind) last[1] += word
    else merged.push([kind, word])
    return merged
  }, [])
}

function middleChanges(left, right) {
  const rest = (words, kind) => words.length ? [[kind, words.join('')]] : []
  if (!left.length || !right.length || left.length * right.length > MOST_CELLS) return [...rest(left, 'out'), ...rest(right, 'in')]
  const width = right.length + 1, longest = new Uint32Array((left.length + 1) * width)
  for (let row = left.length - 1; row >= 0; row--) {
    for (let column = right.length - 1; column >= 0; column--) {
      longest[row * width + column] = left[row] === right[column]
        ? longest[(row + 1) * width + column + 1] + 1
        : Math.max(longest[(row + 1) * width + column], longest[row * width + column + 1])
    }
  }
  const parts = []
  let row = 0, column = 0
  while (row < left.length && column < right.length) {
    if (left[row] === right[column]) { parts.push(['same', left[row++]]); column++ }
    else if (longest[(row + 1) * width + column] >= longest[row * width + column + 1]) parts.push(['out', left[row++]])
    else parts.push(['in', right[column++]])
  }
  return [...parts, ...rest(left.slice(row), 'out'), ...rest(right.slice(column), 'in')]
}

function drawChanges(box, before, after) {
  const tags = { same: 'span', out: 'del', in: 'ins' }
  box.replaceChildren(...wordChanges(before, after).map(([kind, text]) => make(tags[kind], text)))
}
