// The items that the browser holds: the server's window of the queue, what was decided here lately, what was put off.

const MOST_DONE = 100 // decided items that are kept for going back

class Queue {
  constructor() { this.clear() }

  clear() { Object.assign(this, { items: [], index: 0, serverAfter: 0 }) }

  get item() { return this.items[this.index] }
  find(id) { return this.items.find(item => item.id === id) }
  isOpen(item) { return !item.isDone && !item.isGone }

  // those put off come last, those put off twice after them
  sort() {
    const current = this.item
    this.items.sort((left, right) => left.skips - right.skips || left.number - right.number)
    if (current) this.index = this.items.indexOf(current)
  }

  get round() { return Math.min(...this.items.filter(item => this.isOpen(item)).map(item => item.skips), Infinity) }

  // the position up to which everything open was put off: the server goes on behind it
  get after() {
    const { round } = this, open = this.items.filter(item => this.isOpen(item))
    const first = Math.min(...open.filter(item => item.skips === round).map(item => item.number))
    return open.some(item => item.number < first) ? first - 1 : 0
  }

  add(item) {
    const round = Number.isFinite(this.round) ? this.round : 0
    const made = { skips: round + (item.number <= this.serverAfter ? 1 : 0), ...item }
    if (item.saved) Object.assign(made, { draft: item.saved.answer, savedAt: item.saved.at, isOldDraft: item.saved.version !== item.version })
    this.items.push(made)
    return made
  }

  // fresh items replace old ones unless a decision about them is still on its way
  merge(sent, { isCut, after, waiting }) {
    const current = this.item, mine = new Map(this.items.map(item => [item.id, item])), ids = new Set(sent.map(item => item.id))
    this.serverAfter = after
    const place = item => item.number > after ? item.number : item.number + 2 ** 52
    const last = sent.length ? Math.max(...sent.map(place)) : -1
    const isAbsent = item => !ids.has(item.id) && !item.isDone && !waiting.has(item.id) && !item.conflict && (!isCut || place(item) <= last)
    for (const item of sent) {
      const old = mine.get(item.id)
      if (!old) this.add(item)
      else if (!waiting.has(item.id)) {
        const isChanged = old.version !== item.version || old.status !== item.status
        Object.assign(old, item, isChanged ? { isDone: false, isGone: false } : {})
      }
    }
    if (current && isAbsent(current)) current.isGone = true
    this.items = this.items.filter(item => item === current || !isAbsent(item))
    let surplus = this.items.filter(item => item.isDone).length - MOST_DONE
    if (surplus > 0) this.items = this.items.filter(item => !(item.isDone && item !== current && surplus-- > 0))
    this.index = current ? this.items.indexOf(current) : -1
    this.sort()
    if (!current) this.index = this.items.findIndex(item => !item.isDone)
    if (this.index < 0) this.index = this.items.length
  }

  keep(item) {
    if (this.items.includes(item)) return
    this.items.push(item)
    this.sort()
  }

  step(direction) { this.index = Math.max(0, Math.min(this.index + direction, this.items.length)) }

  nextOpen() {
    const later = this.items.findIndex((item, place) => place > this.index && this.isOpen(item))
    const first = later >= 0 ? later : this.items.findIndex(item => this.isOpen(item))
    this.index = first >= 0 ? first : this.items.length
  }

  // put the present item at the end; gives whether another one came instead
  putOff() {
    const { item, index } = this
    item.skips += 1
    this.sort()
    this.index = this.items.findIndex((each, place) => place >= index && this.isOpen(each) && each !== item)
    if (this.index < 0) this.index = this.items.findIndex(each => this.isOpen(each))
    return this.item !== item
  }

  jump(id) {
    const index = this.items.findIndex(item => item.id === id)
    if (index >= 0) this.index = index
    return index >= 0
  }
}
