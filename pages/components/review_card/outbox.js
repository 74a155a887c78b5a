// What the card sends: an append-only log of actions, each kept until the server has answered it.

class Outbox {
  constructor(name, about) {
    this.place = `review-log:${name}`
    this.orphan = parsed(sessionStorage.getItem(this.place) ?? '') // what this tab had not heard an answer to before a reload
    this.nonce = crypto.getRandomValues(new Uint32Array(4)).join('-')
    this.about = about       // gives what the server needs to know besides: what the browser has already
    this.seq = 0
    this.log = []            // entries without an answer of the server
    this.listeners = new Map() // seq -> told what became of it
  }

  add(entry, told = () => {}) {
    entry.seq = ++this.seq
    if (entry.action === 'draft') this.log = this.log.filter(each => each.action !== 'draft' || each.pair_id !== entry.pair_id)
    this.log.push(entry)
    this.listeners.set(entry.seq, told)
    this.push()
    return entry.seq
  }

  // at once: what is sent in the moment of a click would take the place of its navigation. The state holds the log
  // until it is answered; the trigger is for a person who leaves the page while the server is busy: it would forget
  // the state of a page that is left before it got to it
  push() {
    sessionStorage.setItem(this.place, JSON.stringify({ nonce: this.nonce, entries: this.log }))
    this.component.setStateValue('log', { nonce: this.nonce, ...this.about(), entries: this.log })
    if (this.log.length) this.component.setTriggerValue('acted', { nonce: this.nonce, entries: this.log })
  }

  // once more under its own name: what was carried out already is not done again
  recover() {
    if (this.orphan?.entries?.length) this.component.setTriggerValue('orphan', this.orphan)
    this.orphan = null
  }

  settle({ acked, replies }) { // answers to my entries
    if (acked.nonce !== this.nonce) return
    this.log = this.log.filter(entry => entry.seq > acked.seq)
    if (!this.log.length) sessionStorage.removeItem(this.place)
    const answers = new Map(replies.map(reply => [reply.seq, reply]))
    for (const [seq, told] of [...this.listeners]) {
      if (seq > acked.seq) continue
      this.listeners.delete(seq)
      told(answers.get(seq) ?? {})
    }
  }

  get decisions() { return this.log.filter(entry => entry.action !== 'draft') }
}
