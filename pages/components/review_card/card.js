// The review card in the browser: it holds a short queue, shows the next item at once, and keeps every action in a log
// until the server has answered it.
// by training sheet: a card that is drawn anew goes on with its queue, its log and what can be undone
const CARDS = (window.workbenchReviewCards ??= new Map())
const LEAVING = ['blur', 'pagehide', 'visibilitychange'] // a draft is saved before
const BUSY_ROLES = '[role=slider],[role=tab],[role=radio],[role=option],[role=menuitem],[role=combobox],[role=listbox],[role=textbox]'
const KEYS = [
  ['A', 'Approve the answer'], ['1 – 9', 'Choose a class (or its own key)'], ['G', 'Approve as soon as a class is chosen, on or off'],
  ['E', 'Edit the answer'], ['Ctrl Enter', 'Save the edit'], ['R', 'Reject'], ['F', 'Flag, with a reason'],
  ['S', 'Skip: it comes back at the end'], ['O', 'Reopen a decided item'], ['U', 'Undo my latest step'],
  ['Shift U', 'Do it again'], ['D', 'Changes to the first answer, on or off'], ['Backspace', 'Discard my draft'],
  ['→ J', 'Next item'], ['← K', 'Previous item'], ['H', 'History of the item'], ['C', 'Comments on the item'],
  ['Esc', 'Leave what is open'], ['?', 'Show or hide these keys'],
]
const DONE_WORDS = { approve: 'approved', edit: 'saved', reject: 'rejected', flag: 'flagged', reopen: 'reopened', undo: 'undone', redo: 'done again' }
const BUTTON_ACTIONS = { a: 'approve', e: 'edit', r: 'reject', f: 'flag', o: 'reopen' }

class Card {
  constructor(name) {
    this.outbox = new Outbox(name, () => this.about())
    this.queue = new Queue()
    this.drafts = new Drafts((entry, told) => this.send(entry, told), () => this.drawDraft())
    this.stored = new Map()  // items by mark, as the server sent them
    this.known = []          // the marks of its latest window
    this.isAsking = false    // whether the server was asked to send everything once more
    this.rules = { classes: [] }
    this.decided = []        // my decisions that undo can take back, newest last
    this.undone = []         // those that redo can do again
    this.times = []
    this.rev = null
    this.mode = ''           // '', edit, flag, confirm
    this.isDiffWanted = true
    this.isQuick = sessionStorage.getItem('review-quick') === '1'
    this.onKey = event => this.key(event)
    this.onLeave = () => this.drafts.save()
  }

  attach(root) {
    if (this.root === root) return
    this.root = root
    this.isNew = true
    this.mode = ''
    window.addEventListener('keydown', this.onKey, true)
    for (const name of LEAVING) window.addEventListener(name, this.onLeave)
    this.wire()
  }

  detach(root) {
    if (this.root !== root) return
    this.root = null
    window.removeEventListener('keydown', this.onKey, true)
    for (const name of LEAVING) window.removeEventListener(name, this.onLeave)
  }

  $(selector) { return this.root.querySelector(selector) }
  get item() { return this.queue.item }

  wire() {
    const back = act => () => { act(); this.$('.card').focus() }
    this.root.querySelectorAll('[data-key]').forEach(button => { button.onclick = back(() => this.press(button.dataset.key)) })
    this.$('.yes').onclick = () => this.confirmed()
    this.$('.no').onclick = () => this.close()
    this.$('.notice .close').onclick = () => { this.$('.notice').hidden = true }
    this.$('.notice .go').onclick = back(() => { this.jump(this.noticed); this.$('.notice').hidden = true })
    this.editor = new AnswerEditor(this.root, {
      onInput: text => this.typed(text), onSave: () => this.saveForm(), onClose: () => this.close(),
      onDiscard: () => { this.discard(); this.close() }, onSettled: () => this.drafts.save(),
    })
    this.source = new SourceView(this.$('.source'))
    this.answer = new AnswerView(this.root, back(() => this.press('d')))
    this.classes = new ClassesView(this.root, { onChoose: name => { this.choose(name); this.$('.card').focus() }, onLeave: () => this.$('.card').focus() })
    const sheet = this.$('.sheet')
    sheet.replaceChildren(make('b', 'Keys'), ...KEYS.map(([key, text]) => {
      const row = make('div')
      row.append(make('kbd', key), make('span', text))
      return row
    }))
    sheet.onclick = () => { sheet.hidden = true }
  }

  // --- between browser and server ---------------------------------------------------------------------------------

  about() { return { known: this.known, rules: this.isAsking ? '' : this.rules.mark ?? '', queue: this.rev, after: this.queue.after } }

  receive(component) {
    const { data } = component, before = this.item
    Object.assign(this, { component, data })
    this.outbox.component = component
    this.outbox.recover()
    if (data.rules.kind) this.rules = data.rules
    const items = data.items.map(item => item.ref === undefined ? this.stored.get(item.mark) : item)
    if (data.rules.mark !== this.rules.mark || items.some(item => !item)) return this.askForAll()
    this.isAsking = false
    this.remember(items)
    const isOther = this.rev !== data.rev
    if (isOther) {
      this.rev = data.rev
      this.mode = ''
      this.queue.clear()
    }
    this.outbox.settle(data)
    const waiting = new Set(this.outbox.decisions.map(entry => entry.pair_id))
    this.queue.merge(items, { isCut: data.is_cut, after: data.after, waiting })
    if (isOther) this.queue.index = 0
    if (this.focusNext) { this.queue.jump(this.focusNext); this.focusNext = '' }
    if (this.isNew && this.item?.isGone) this.queue.nextOpen()
    if ((this.isNew || data.acked.nonce !== this.outbox.nonce) && this.outbox.log.length) this.outbox.push() // nobody heard us
    this.isNew = false
    if (this.mode && this.item === before) return this.drawHead()
    this.mode = ''
    return this.draw()
  }

  askForAll() { // the server believes that we have what we do not
    Object.assign(this, { known: [], isAsking: true }) // the rules stay meanwhile: a key pressed now must count too
    this.outbox.push()
  }

  remember(items) {
    this.known = items.map(item => item.mark)
    for (const item of items) { this.stored.delete(item.mark); this.stored.set(item.mark, item) }
    for (const mark of [...this.stored.keys()].slice(0, Math.max(0, this.stored.size - 500))) this.stored.delete(mark)
  }

  send(entry, { refused = () => {}, done = () => {} } = {}) {
    this.outbox.add(entry, reply => {
      if (reply.words) this.say(reply.words, !entry.pair_id || !!reply.reason)
      if (reply.reason) refused(reply)
      else done(reply)
      if (reply.focus) this.focusNext = reply.focus
    })
    if (DONE_WORDS[entry.action]) this.tell(`Item ${entry.ref || ''} ${DONE_WORDS[entry.action]}`)
  }

  // --- actions ---------------------------------------------------------------------------------------------------

  can(action) { return !!this.item && !this.data.locked && (this.rules.actions?.[this.item.status] ?? []).includes(action) }

  decide(action, { answer, note = '', replace = false } = {}) {
    const { item } = this, final = answer === undefined ? item?.draft : answer
    if (item?.isGone && final === undefined) return this.next()
    if (!this.can(action)) return
    const before = { status: item.status, answer: item.answer, version: item.version, draft: item.draft, isDone: item.isDone }
    const isLabelling = action === 'approve' || action === 'edit', text = final ?? item.answer
    if (isLabelling) {
      if (!text.trim()) return this.empty()
      if (this.rules.kind === 'structured' && final !== undefined && parsed(text) === undefined) { this.open('edit'); return this.editor.say('This is not JSON.') }
      if (item.canonical && !replace && !same(item.canonical, text)) return this.askToReplace(action, text)
    }
    this.drafts.forget(item)
    const isChanged = isLabelling && final !== undefined && final !== item.answer
    const after = { status: isChanged ? this.rules.leads.edit : this.rules.leads[action], answer: isChanged ? final : item.answer, isDone: action !== 'reopen' }
    Object.assign(item, after, { version: item.version + 1, draft: undefined, savedAt: '', refused: '', isGone: false })
    if (isChanged) item.original ??= before.answer || null
    const entry = { action: isChanged ? 'edit' : action, pair_id: item.id, row_version: before.version, note, replace, ref: item.ref }
    if (isChanged) entry.answer = final
    const step = { item, before, after }
    this.decided.push(step)
    this.undone = []
    this.times.push(Date.now())
    this.send(entry, { refused: reply => this.refused(step, { action, text, note, replace, ...reply }) })
    this.mode = ''
    if (action === 'reopen') this.draw()
    else this.next()
  }

  // what was decided did not happen: the item is as before, and says why; nothing typed is lost
  refused({ item, before }, { reason, change, action, text, note, replace }) {
    Object.assign(item, before)
    this.decided = this.decided.filter(step => step.before !== before)
    this.queue.keep(item)
    if (change) item.conflict = { ...change, mine: { action, text, note, replace } }
    else item.refused = reason
    if (item.draft !== undefined) this.drafts.later(item)
    this.notify(reason, item)
  }

  resolve(isMine) {
    const { item } = this, { status, answer, row_version: version, mine } = item.conflict
    item.conflict = undefined
    Object.assign(item, { status, answer, version, draft: undefined, isGone: false, isDone: status !== 'pending' })
    this.$('.notice').hidden = true
    if (!isMine) {
      this.drafts.keep(item)
      this.tell(`Item ${item.ref} stays as it is`)
      return item.isDone ? this.next() : this.draw()
    }
    if (!this.can(mine.action) && this.can('reopen')) this.decide('reopen')
    const answered = mine.action === 'approve' || mine.action === 'edit' ? { answer: mine.text } : {}
    return this.decide(mine.action, { ...answered, note: mine.note, replace: mine.replace })
  }

  undo() {
    if (this.data.locked) return
    const last = this.decided.pop()
    if (!last) return this.send({ action: 'undo', pair_id: '', row_version: 0 }, { refused: ({ reason }) => this.notify(reason) })
    const { item, before } = last
    const now = { status: item.status, answer: item.answer, isDone: item.isDone, version: item.version }
    const entry = { action: 'undo', pair_id: item.id, row_version: item.version, ref: item.ref }
    Object.assign(item, { status: before.status, answer: before.answer, isDone: before.isDone, version: item.version + 1 })
    this.times.pop()
    this.undone.push(last)
    this.send(entry, { refused: reply => this.stepRefused(item, now, reply) })
    this.queue.keep(item)
    this.jump(item.id)
  }

  redo() {
    if (this.data.locked) return
    const last = this.undone.pop()
    if (!last) return this.send({ action: 'redo', pair_id: '', row_version: 0 }, { refused: ({ reason }) => this.notify(reason) })
    const { item, after } = last
    const now = { status: item.status, answer: item.answer, isDone: item.isDone, version: item.version }
    const entry = { action: 'redo', pair_id: item.id, row_version: item.version, ref: item.ref }
    Object.assign(item, after, { version: item.version + 1 })
    this.decided.push(last)
    this.times.push(Date.now())
    this.send(entry, { refused: reply => this.stepRefused(item, now, reply) })
    this.queue.keep(item)
    this.queue.jump(item.id)
    if (after.isDone) this.next()
    else this.draw()
  }

  stepRefused(item, now, { reason, words }) {
    Object.assign(item, now)
    Object.assign(this, { decided: [], undone: [] }) // the server knows the order better now
    if (!words) this.notify(reason, item)
  }

  skip() {
    if (!this.item) return
    this.drafts.save()
    if (!this.queue.isOpen(this.item)) return this.move(1)
    const { ref } = this.item, isOther = this.queue.putOff()
    this.outbox.push()
    this.tell(isOther ? `Item ${ref} skipped` : 'No other item waits.')
    this.mode = ''
    this.draw()
  }

  choose(name) {
    if (!this.can('approve') || !this.rules.classes.some(each => each.name === name)) return
    this.item.draft = name === this.item.answer ? undefined : name
    if (this.isQuick) return this.decide('approve')
    this.drafts.later(this.item)
    this.draw()
  }

  empty() {
    if (this.rules.classes.length) {
      this.$('.hint').textContent = 'Choose a class first.'
      return undefined
    }
    return this.open('edit')
  }

  askToReplace(action, text) {
    this.asked = { action, text }
    this.mode = 'confirm'
    this.draw()
    this.$('.confirm p').textContent = `This item has the canonical label “${this.item.canonical.slice(0, 200)}”. Replace it with “${text.slice(0, 200)}”? The former version is kept.`
    this.$('.yes').focus()
  }

  confirmed() {
    const { action, text } = this.asked
    this.mode = ''
    this.decide(action, { answer: text === this.item.answer ? undefined : text, replace: true })
    this.$('.card').focus()
  }

  // --- editing, and drafts -----------------------------------------------------------------------------------------

  open(mode) {
    if (!this.can(mode)) return
    if (mode === 'edit' && this.rules.classes.length) {
      this.$('.hint').textContent = 'Choose another class.'
      return this.root.querySelector('.classes input, .classes button').focus()
    }
    this.mode = mode
    this.draw()
    this.editor.open(mode, mode === 'edit' ? (this.item.draft ?? this.item.answer) : '', this.rules)
    this.drawDraft()
  }

  close() {
    this.drafts.save()
    this.mode = ''
    this.draw()
    this.$('.card').focus()
  }

  saveForm() {
    const fault = this.editor.fault()
    this.editor.say(fault)
    if (fault) return
    const text = this.editor.current().trim()
    if (this.mode === 'flag') this.decide('flag', { note: text })
    else this.decide('edit', { answer: text })
    if (!this.mode) this.$('.card').focus()
  }

  typed(text) {
    if (this.mode !== 'edit' || text === undefined) return
    this.item.draft = text === this.item.answer ? undefined : text
    this.drafts.later(this.item)
    this.drawDraft()
  }

  discard() {
    if (this.item?.draft === undefined) return
    this.item.draft = undefined
    this.drafts.keep(this.item)
    this.draw()
  }

  drawDraft() {
    if (!this.root) return
    const words = this.item ? this.drafts.words(this.item) : ''
    this.root.querySelectorAll('.saved').forEach(box => { if (box.textContent !== words) box.textContent = words })
    const isDraft = this.item?.draft !== undefined && !this.item.isDone
    this.$('.draft-row').hidden = !isDraft || this.mode !== ''
    this.$('.form .discard').hidden = !isDraft || this.mode !== 'edit'
  }

  // --- moving ----------------------------------------------------------------------------------------------------

  next() {
    this.drafts.save()
    this.queue.nextOpen()
    this.draw()
  }

  move(direction) {
    this.drafts.save()
    this.mode = ''
    this.queue.step(direction)
    this.draw()
  }

  jump(id) {
    this.drafts.save()
    this.queue.jump(id)
    this.mode = ''
    this.draw()
  }

  press(key) {
    if (!this.$('.sheet').hidden) { this.$('.sheet').hidden = true; if (key === '?' || key === 'Escape') return true }
    if (this.item?.conflict && (key === 't' || key === 'm')) { this.resolve(key === 'm'); return true }
    const name = this.item?.conflict ? undefined : this.rules.classes.find(each => each.key && each.key === key)?.name
    if (name !== undefined) this.choose(name)
    else if (this.item?.conflict && BUTTON_ACTIONS[key]) this.tell('Choose first: T keeps theirs, M decides again.')
    else if (key === 'a') this.decide('approve')
    else if (key === 'r') this.decide('reject')
    else if (key === 'o') this.decide('reopen')
    else if (key === 'e' || key === 'f') this.open(key === 'e' ? 'edit' : 'flag')
    else if (key === 's') this.skip()
    else if (key === 'u') this.undo()
    else if (key === 'U') this.redo()
    else if (key === 'd') { this.isDiffWanted = !this.isDiffWanted; this.draw() }
    else if (key === 'Backspace') this.discard()
    else if (key === 'g' && this.rules.classes.length) this.toggleQuick()
    else if (key === 'h' && this.item) this.component.setTriggerValue('opened', this.item.id)
    else if (key === 'c' && this.item) this.component.setTriggerValue('comments', this.item.id)
    else if (key === '?') this.$('.sheet').hidden = false
    else if (key === 'ArrowRight' || key === 'j') this.move(1)
    else if (key === 'ArrowLeft' || key === 'k') this.move(-1)
    else return false
    return true
  }

  isMine(event) {
    const [target] = event.composedPath()
    return this.root.contains(target) || target.getRootNode?.() === this.root
  }

  toggleQuick() {
    this.isQuick = !this.isQuick
    sessionStorage.setItem('review-quick', this.isQuick ? '1' : '0')
    this.draw()
  }

  key(event) {
    if (!this.component || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const target = event.composedPath()[0], isInside = this.isMine(event)
    if (this.mode === 'confirm' && (event.key === 'Escape' || event.key === 'Enter')) {
      event.key === 'Escape' ? this.close() : this.confirmed()
    } else {
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) return
      if (!isInside && (target.closest?.(BUSY_ROLES) || document.querySelector('[role=dialog]'))) return
      const key = event.key.length > 1 ? event.key : event.shiftKey && event.key.toLowerCase() === 'u' ? 'U' : event.key.toLowerCase()
      if (event.repeat && !key.startsWith('Arrow')) return // a key held down must not decide item after item
      if (this.mode && key !== 'Escape') return
      if (key === 'Escape' ? !(this.mode || !this.$('.sheet').hidden) : false) return
      if (key === 'Escape' && this.mode) this.close()
      else if (!this.press(key) && key !== 'Escape') return
    }
    event.preventDefault()
    event.stopImmediatePropagation()
  }

  // --- messages --------------------------------------------------------------------------------------------------

  tell(words) { this.$('.live').textContent = words }

  say(words, isSeen) {
    this.tell(words)
    if (isSeen) this.notify(words, null, true)
  }

  notify(reason, item = null, isGood = false) {
    clearTimeout(this.noticeTimer)
    this.noticed = item?.id
    this.$('.notice span').textContent = reason
    this.$('.notice .go').hidden = !item
    this.$('.notice').classList.toggle('good', isGood)
    this.$('.notice').hidden = false
    if (isGood) this.noticeTimer = setTimeout(() => { if (this.root) this.$('.notice').hidden = true }, 8000)
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  drawHead() {
    const { data, item } = this, change = { undo: -1, reopen: -1 }
    const waiting = this.outbox.decisions.reduce((sum, entry) => sum + (change[entry.action] ?? 1), 0)
    const pending = Math.max(0, data.pending - (data.is_pending ? waiting : 0))
    this.$('.bar i').style.width = `${data.total ? 100 * (1 - pending / data.total) : 0}%`
    this.$('.ref').textContent = item ? item.ref : ''
    this.$('.place').textContent = `${pending.toLocaleString('en')} of ${data.total.toLocaleString('en')} pending`
    const minutes = this.times.length > 1 ? (this.times[this.times.length - 1] - this.times[0]) / 60000 : 0
    const pace = minutes > 0.05 ? ` · ${Math.round((this.times.length - 1) / minutes)} a minute` : ''
    this.$('.pace').textContent = this.times.length ? `${this.times.length} decided in this session${pace}` : ''
    this.$('.badges').replaceChildren(...(item ? badgesOf(item, this.rules.status_colors) : []))
    this.root.querySelectorAll('footer [data-key]').forEach(button => this.enable(button))
    this.$('.comments').textContent = item?.comments ? String(item.comments) : ''
    this.drawDraft()
  }

  enable(button) {
    const { key } = button.dataset, action = BUTTON_ACTIONS[key]
    if (action) {
      button.disabled = !this.can(action) || !!this.item.conflict
      button.hidden = action === 'reopen' && button.disabled
    }
    if (key === 'u' || key === 'U') button.disabled = !!this.data.locked
    if (key === 'U') button.classList.toggle('rare', !this.undone.length)
    if (key === 'h' || key === 'c' || key === 's') button.disabled = !this.item
    button.title = button.disabled && this.data.locked ? this.data.locked : ''
  }

  draw() {
    if (!this.root) return
    const { item, data } = this
    this.$('.card').dataset.item = item ? item.id : ''
    this.$('.card').dataset.ref = item ? item.ref : ''
    this.$('.card').dataset.mode = this.mode
    this.drawHead()
    this.$('.decide').hidden = !item
    this.$('.form').hidden = this.mode !== 'edit' && this.mode !== 'flag'
    this.$('.confirm').hidden = this.mode !== 'confirm'
    this.$('.conflict').hidden = !item?.conflict
    this.$('.source').className = item ? 'source' : 'source done'
    if (!item) {
      const isMore = data.is_cut && data.pending > 0
      return this.source.message(isMore ? 'Loading more items …' : data.done_title, isMore ? '' : data.done_text)
    }
    this.source.draw(item)
    this.answer.draw(item, this.rules, this.isDiffWanted)
    this.$('.answer-row').hidden = this.$('.answer').hidden = this.mode === 'edit'
    this.$('.classes').hidden = this.$('.about').hidden = !this.rules.classes.length || this.mode === 'edit' || !!item.conflict
    if (!this.$('.classes').hidden) this.classes.draw(item, this.rules, this.can('approve'))
    if (item.conflict) drawConflict(this.$('.conflict'), item.conflict)
    this.$('.others').replaceChildren(...otherLabels(item))
    this.$('.hint').textContent = this.hintOf(item)
  }

  hintOf(item) {
    if (this.data.locked) return this.data.locked
    if (item.conflict) return ''
    if (item.isGone) return 'This item was decided elsewhere meanwhile.'
    if (item.refused) return `Not done: ${item.refused}`
    if (item.draft !== undefined && this.rules.classes.length) return 'Chosen, not saved yet: press A to approve.'
    if (item.draft !== undefined && !this.mode) return 'A approves your draft, E goes on with it.'
    if (item.hint) return item.hint
    if (this.rules.classes.length) return this.isQuick ? 'Choosing a class approves it at once (G).' : 'Choose with its key, approve with A; G does both at once.'
    return ''
  }
}

export default function (component) {
  const { data, parentElement: root } = component
  if (!CARDS.has(data.card)) CARDS.set(data.card, new Card(data.card))
  const card = CARDS.get(data.card)
  card.attach(root)
  card.receive(component)
  return () => card.detach(root)
}
