// The review card in the browser: it holds a short queue, shows the next item at once, and keeps every action in a log
// until the server has answered it. All text goes through textContent.
// by training sheet: a card that is drawn anew goes on with its queue, its log and what can be undone
const CARDS = (window.workbenchReviewCards ??= new Map())
const BUSY_ROLES = '[role=slider],[role=tab],[role=radio],[role=option],[role=menuitem],[role=combobox],[role=listbox],[role=textbox]'
const KEYS = [
  ['A', 'Approve the answer'], ['1 – 9', 'Choose a class'], ['G', 'Approve as soon as a class is chosen, on or off'],
  ['E', 'Edit the answer'], ['Ctrl Enter', 'Save the edit'], ['R', 'Reject'], ['F', 'Flag, with a reason'],
  ['O', 'Reopen a decided item'], ['U', 'Undo my latest decision'], ['→ J', 'Next item'], ['← K', 'Previous item'],
  ['H', 'History of the item'], ['Esc', 'Leave what is open'], ['?', 'Show or hide these keys'],
]
const VERB = { approve: 'approved', edit: 'saved', reject: 'rejected', flag: 'flagged', reopen: 'reopened', undo: 'undone' }

// what scrolls must be reachable by keys; whether it scrolls is known once it has a size, and changes with it
const sizes = new ResizeObserver(entries => entries.forEach(({ target }) => {
  if (target.scrollHeight > target.clientHeight) target.tabIndex = 0
  else target.removeAttribute('tabindex')
}))
const scrollable = element => sizes.observe(element)

const make = (tag, text, className) => {
  const element = document.createElement(tag)
  if (text !== undefined) element.textContent = text
  if (className) element.className = className
  return element
}
const same = (left, right) => {
  const plain = text => { try { return JSON.stringify(JSON.parse(text)) } catch { return text.trim() } }
  return plain(left) === plain(right)
}

class Card {
  constructor() {
    this.nonce = crypto.getRandomValues(new Uint32Array(4)).join('-')
    this.seq = 0
    this.log = []            // entries without an answer of the server
    this.rollbacks = new Map() // seq -> puts the item back when the server refuses
    this.decided = []        // my decisions that undo can take back, newest last
    this.times = []
    this.items = []
    this.index = 0
    this.rev = null
    this.mode = ''           // '', edit, flag, confirm
    this.isQuick = sessionStorage.getItem('review-quick') === '1'
    this.onKey = event => this.key(event)
  }

  attach(root) {
    if (this.root === root) return
    this.root = root
    this.isNew = true
    this.mode = ''
    this.drawnClasses = null
    window.addEventListener('keydown', this.onKey, true)
    this.wire()
  }

  detach(root) {
    if (this.root !== root) return
    this.root = null
    window.removeEventListener('keydown', this.onKey, true)
  }

  $(selector) { return this.root.querySelector(selector) }
  get item() { return this.items[this.index] }

  wire() {
    this.root.querySelectorAll('footer button').forEach(button => { button.onclick = () => { this.press(button.dataset.key); this.$('.card').focus() } })
    this.$('.save').onclick = () => this.saveForm()
    this.$('.cancel').onclick = () => this.close()
    this.$('.yes').onclick = () => this.confirmed()
    this.$('.no').onclick = () => this.close()
    this.$('.notice .close').onclick = () => { this.$('.notice').hidden = true }
    this.$('.notice .go').onclick = () => { this.jump(this.noticed); this.$('.notice').hidden = true }
    this.$('.form textarea').addEventListener('keydown', event => this.formKey(event))
    const sheet = this.$('.sheet')
    sheet.replaceChildren(make('b', 'Keys'), ...KEYS.map(([key, text]) => {
      const row = make('div')
      row.append(make('kbd', key), make('span', text))
      return row
    }))
    sheet.onclick = () => { sheet.hidden = true }
  }

  // --- what the server sends -----------------------------------------------------------------------------------

  receive(component) {
    this.component = component
    const data = component.data
    this.data = data
    if (this.rev !== data.rev) {
      this.rev = data.rev
      Object.assign(this, { items: data.items.map(item => ({ ...item })), index: 0, mode: '' })
      this.settle(data)
      return this.draw()
    }
    const before = this.item
    this.settle(data)
    this.merge(data)
    if (this.isNew && this.item?.isGone) this.next(true)
    this.isNew = false
    if (this.mode && this.item === before) this.drawHead()
    else this.draw()
  }

  settle(data) { // answers to my entries
    if (data.acked.nonce !== this.nonce) return
    this.log = this.log.filter(entry => entry.seq > data.acked.seq)
    for (const reply of data.replies) {
      const rollback = this.rollbacks.get(reply.seq)
      if (!rollback) continue
      this.rollbacks.delete(reply.seq)
      if (reply.reason) {
        rollback()
        this.notify(reply.reason, reply.pair_id)
      }
      if (reply.focus) this.focusNext = reply.focus
    }
    for (const seq of [...this.rollbacks.keys()]) if (seq <= data.acked.seq) this.rollbacks.delete(seq)
  }

  merge(data) { // fresh items replace old ones unless an action on them is still on its way
    const current = this.item, waiting = new Set(this.log.map(entry => entry.pair_id))
    const mine = new Map(this.items.map(item => [item.id, item])), sent = new Set(data.items.map(item => item.id))
    const last = data.items.length ? data.items[data.items.length - 1].number : -1
    const covers = number => number <= last || !data.is_cut
    for (const item of data.items) {
      const old = mine.get(item.id)
      if (!old) this.items.push({ ...item })
      else if (!waiting.has(item.id) && (old.version !== item.version || old.status !== item.status)) {
        Object.assign(old, { draft: undefined, isDone: false }, item)
      } else if (!waiting.has(item.id)) Object.assign(old, { ...item })
    }
    this.items = this.items.filter(item => item === current || sent.has(item.id) || item.isDone || waiting.has(item.id) || !covers(item.number))
    this.items.sort((left, right) => left.number - right.number)
    if (current && !sent.has(current.id) && !current.isDone && !waiting.has(current.id) && covers(current.number)) current.isGone = true
    const surplus = this.items.filter(item => item.isDone).length - 100
    if (surplus > 0) {
      let left = surplus
      this.items = this.items.filter(item => !(item.isDone && item !== current && left-- > 0))
    }
    this.index = current ? this.items.indexOf(current) : this.items.findIndex(item => !item.isDone)
    if (this.index < 0) this.index = this.items.length
    if (this.focusNext) { this.jump(this.focusNext, true); this.focusNext = '' }
  }

  // --- actions ---------------------------------------------------------------------------------------------------

  can(action) {
    return !!this.item && !this.data.locked && !this.item.isGone && (this.data.actions[this.item.status] || []).includes(action)
  }

  send(entry, rollback) {
    entry.seq = ++this.seq
    this.log.push(entry)
    this.rollbacks.set(entry.seq, rollback)
    this.component.setStateValue('log', { nonce: this.nonce, entries: this.log })
    this.$('.live').textContent = `Item ${entry.ref || ''} ${VERB[entry.action]}`
  }

  decide(action, { answer, note = '', replace = false } = {}) {
    const item = this.item
    if (item?.isGone) return this.next(true)
    if (!this.can(action)) return
    const before = { status: item.status, answer: item.answer, version: item.version, draft: item.draft, isDone: item.isDone }
    const final = answer === undefined ? item.draft : answer
    if (action === 'approve' || action === 'edit') {
      const text = final === undefined ? item.answer : final
      if (!text.trim()) return this.empty()
      if (item.canonical && !replace && !same(item.canonical, text)) return this.askToReplace(action, text)
    }
    const isChanged = final !== undefined && (action === 'approve' || action === 'edit') && final !== item.answer
    Object.assign(item, { status: this.data.leads[action], version: item.version + 1, isDone: action !== 'reopen', draft: undefined, refused: '' })
    if (isChanged) Object.assign(item, { answer: final, status: this.data.leads.edit })
    const entry = { action: isChanged ? 'edit' : action, pair_id: item.id, row_version: before.version, note, replace, ref: item.ref }
    if (isChanged) entry.answer = final
    this.decided.push({ item, before })
    this.times.push(Date.now())
    this.send(entry, () => {
      Object.assign(item, before)
      this.decided = this.decided.filter(done => done.before !== before)
    })
    this.mode = ''
    if (action === 'reopen') this.draw()
    else this.next(true)
  }

  undo() {
    if (this.data.locked) return
    const last = this.decided.pop()
    if (!last) return this.send({ action: 'undo', pair_id: '', row_version: 0 }, () => {})
    const { item, before } = last
    const after = { status: item.status, answer: item.answer, version: item.version, isDone: item.isDone }
    const entry = { action: 'undo', pair_id: item.id, row_version: item.version, ref: item.ref }
    Object.assign(item, { status: before.status, answer: before.answer, isDone: before.isDone, version: item.version + 1 })
    this.times.pop()
    this.send(entry, () => { Object.assign(item, after) })
    if (!this.items.includes(item)) { this.items.push(item); this.items.sort((left, right) => left.number - right.number) }
    this.jump(item.id)
  }

  choose(name) {
    if (!this.can('approve') || !this.data.classes.includes(name)) return
    this.item.draft = name === this.item.answer ? undefined : name
    if (this.isQuick) return this.decide('approve')
    this.draw()
  }

  empty() {
    if (this.data.classes.length) {
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

  open(mode) {
    if (!this.can(mode)) return
    if (mode === 'edit' && this.data.classes.length) {
      this.$('.hint').textContent = 'Choose another class.'
      return this.root.querySelector('.classes input, .classes button').focus()
    }
    this.mode = mode
    this.draw()
    const field = this.$('.form textarea')
    field.value = mode === 'edit' ? (this.item.draft ?? this.item.answer) : ''
    field.className = mode === 'edit' && this.data.kind === 'structured' ? 'json' : ''
    this.$('.form label').textContent = mode === 'edit' ? 'Edit the answer' : 'Reason for the flag'
    field.placeholder = mode === 'edit' ? '' : 'What needs a second look?'
    this.$('.save').replaceChildren(document.createTextNode(mode === 'edit' ? 'Save and approve ' : 'Flag '), make('kbd', mode === 'edit' ? 'Ctrl Enter' : 'Enter'))
    field.focus()
  }

  close() {
    this.mode = ''
    this.draw()
    this.$('.card').focus()
  }

  formKey(event) {
    event.stopPropagation()
    const isSave = event.key === 'Enter' && (event.ctrlKey || event.metaKey || (this.mode === 'flag' && !event.shiftKey))
    if (isSave) { event.preventDefault(); this.saveForm() }
    else if (event.key === 'Escape') { event.preventDefault(); this.close() }
  }

  saveForm() {
    const text = this.$('.form textarea').value.trim(), fault = this.faultOf(text)
    this.$('.fault').hidden = !fault
    this.$('.fault').textContent = fault
    if (fault) return
    if (this.mode === 'flag') this.decide('flag', { note: text })
    else this.decide('edit', { answer: text })
    if (!this.mode) this.$('.card').focus()
  }

  faultOf(text) {
    if (!text) return this.mode === 'flag' ? 'A flag needs a reason.' : 'The answer is empty.'
    if (this.mode !== 'edit') return ''
    if (this.data.kind === 'structured') {
      try { JSON.parse(text) } catch (error) { return `This is not JSON: ${error.message}` }
    }
    return ''
  }

  // --- moving ----------------------------------------------------------------------------------------------------

  next(isDecided) {
    const open = this.items.findIndex((item, number) => number > this.index && (!isDecided || !item.isDone))
    const first = isDecided && open < 0 ? this.items.findIndex(item => !item.isDone && !item.isGone) : open
    this.index = first >= 0 ? first : isDecided ? this.items.length : Math.min(this.index + 1, this.items.length)
    this.draw()
  }

  jump(id, isQuiet) {
    const index = this.items.findIndex(item => item.id === id)
    if (index >= 0) this.index = index
    this.mode = ''
    if (!isQuiet) this.draw()
  }

  press(key) {
    if (!this.$('.sheet').hidden) { this.$('.sheet').hidden = true; if (key === '?' || key === 'Escape') return true }
    const digit = /^[1-9]$/.test(key) ? this.data.classes[Number(key) - 1] : undefined
    if (digit !== undefined) this.choose(digit)
    else if (key === 'a') this.decide('approve')
    else if (key === 'r') this.decide('reject')
    else if (key === 'o') this.decide('reopen')
    else if (key === 'e' || key === 'f') this.open(key === 'e' ? 'edit' : 'flag')
    else if (key === 'u') this.undo()
    else if (key === 'g' && this.data.classes.length) this.toggleQuick()
    else if (key === 'h' && this.item) this.component.setTriggerValue('opened', this.item.id)
    else if (key === '?') this.$('.sheet').hidden = false
    else if (key === 'ArrowRight' || key === 'j') this.next(false)
    else if (key === 'ArrowLeft' || key === 'k') { this.index = Math.max(0, this.index - 1); this.mode = ''; this.draw() }
    else return false
    return true
  }

  toggleQuick() {
    this.isQuick = !this.isQuick
    sessionStorage.setItem('review-quick', this.isQuick ? '1' : '0')
    this.draw()
  }

  key(event) {
    if (!this.component || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const target = event.composedPath()[0]
    const isInside = this.root.contains(target) || target.getRootNode() === this.root
    if (this.mode === 'confirm' && (event.key === 'Escape' || event.key === 'Enter')) {
      event.key === 'Escape' ? this.close() : this.confirmed()
    } else {
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) return
      if (!isInside && (target.closest?.(BUSY_ROLES) || document.querySelector('[role=dialog]'))) return
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
      if (event.repeat && !key.startsWith('Arrow')) return // a key held down must not decide item after item
      if (this.mode && key !== 'Escape') return
      if (key === 'Escape' ? !(this.mode || !this.$('.sheet').hidden) : false) return
      if (key === 'Escape' && this.mode) this.close()
      else if (!this.press(key) && key !== 'Escape') return
    }
    event.preventDefault()
    event.stopImmediatePropagation()
  }

  notify(reason, id) {
    const item = this.items.find(each => each.id === id)
    if (item) item.refused = reason
    this.noticed = id
    this.$('.notice span').textContent = reason
    this.$('.notice .go').hidden = !item
    this.$('.notice').hidden = false
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  drawHead() {
    const { data, item } = this
    const waiting = this.log.reduce((sum, entry) => sum + (entry.action === 'undo' || entry.action === 'reopen' ? -1 : 1), 0)
    const pending = Math.max(0, data.pending - (data.is_pending ? waiting : 0))
    this.$('.bar i').style.width = `${data.total ? 100 * (1 - pending / data.total) : 0}%`
    this.$('.ref').textContent = item ? item.ref : ''
    this.$('.place').textContent = `${pending.toLocaleString('en')} of ${data.total.toLocaleString('en')} pending`
    const minutes = this.times.length > 1 ? (this.times[this.times.length - 1] - this.times[0]) / 60000 : 0
    const pace = minutes > 0.05 ? ` · ${Math.round((this.times.length - 1) / minutes)} a minute` : ''
    this.$('.pace').textContent = this.times.length ? `${this.times.length} decided in this session${pace}` : ''
    this.$('.badges').replaceChildren(...(item ? this.badges(item) : []))
    this.root.querySelectorAll('footer [data-key]').forEach(button => this.enable(button))
  }

  badges(item) {
    const made = [make('span', titled(item.status), `badge ${this.data.status_colors[item.status] || 'gray'}`)]
    for (const badge of item.badges) made.push(Object.assign(make('span', badge.text, `badge ${badge.color}`), { title: badge.help || badge.text }))
    if (item.canonical) made.push(Object.assign(make('span', `Canonical: ${item.canonical}`, 'badge violet'), { title: item.canonical }))
    return made
  }

  enable(button) {
    const action = { a: 'approve', e: 'edit', r: 'reject', f: 'flag', o: 'reopen' }[button.dataset.key]
    if (action) {
      button.disabled = !this.can(action)
      button.hidden = action === 'reopen' && button.disabled
    }
    if (button.dataset.key === 'u') button.disabled = !!this.data.locked
    if (button.dataset.key === 'h') button.disabled = !this.item
    button.title = button.disabled && this.data.locked ? this.data.locked : ''
  }

  draw() {
    const { item, data } = this
    this.$('.card').dataset.item = item ? item.id : ''
    this.$('.card').dataset.ref = item ? item.ref : ''
    this.drawHead()
    this.$('.decide').hidden = !item
    this.$('.form').hidden = this.mode !== 'edit' && this.mode !== 'flag'
    this.$('.confirm').hidden = this.mode !== 'confirm'
    this.$('.fault').hidden = true
    const source = this.$('.source')
    source.className = item ? 'source' : 'source done'
    if (!item) {
      const isMore = data.is_cut && data.pending > 0
      source.replaceChildren(make('b', isMore ? 'Loading more items …' : data.done_title), make('span', isMore ? '' : data.done_text))
      return
    }
    source.replaceChildren(...this.sourceParts(item))
    this.drawAnswer(item)
    this.drawClasses(item)
    this.$('.hint').textContent = this.hintOf(item)
  }

  sourceParts(item) {
    const pictures = item.pictures.map((address) => this.picture(item, address))
    const parts = item.variables.map(({ name, text }) => {
      const box = make('div')
      const value = make('div', text, text.length > 80 || text.includes('\n') ? 'value long' : 'value')
      scrollable(value)
      box.append(make('div', name, 'label'), value)
      return box
    })
    const prompt = make('details')
    prompt.open = this.isPromptOpen ?? !item.variables.length
    prompt.ontoggle = () => { this.isPromptOpen = prompt.open }
    const question = make('div', item.prompt, 'value long')
    scrollable(question)
    prompt.append(make('summary', 'Prompt'), question)
    return [...pictures, ...parts, prompt]
  }

  picture(item, address) {
    const image = make('img')
    image.className = 'picture'
    image.alt = `The picture ${item.ref}`
    image.onerror = () => image.replaceWith(make('div', 'This picture cannot be shown.', 'label'))
    image.src = address
    return image
  }

  drawAnswer(item) {
    const text = item.draft ?? item.answer, box = this.$('.answer')
    box.hidden = this.mode === 'edit'
    box.textContent = text || 'No answer yet.'
    box.className = `answer ${text ? { label: 'class', structured: 'json', text: '' }[this.data.kind] : 'none'}`
  }

  drawClasses(item) {
    const { classes } = this.data, box = this.$('.classes')
    box.hidden = !classes.length || this.mode === 'edit'
    if (this.drawnClasses !== classes.join('\n')) {
      this.drawnClasses = classes.join('\n')
      const buttons = classes.map((name, number) => {
        const button = make('button', name)
        button.type = 'button'
        if (number < 9) button.append(' ', make('kbd', String(number + 1)))
        button.onclick = () => { this.choose(name); this.$('.card').focus() }
        button.dataset.class = name
        return button
      })
      box.replaceChildren(...(classes.length > 12 ? [this.classSearch(buttons)] : []), ...buttons)
    }
    const chosen = item.draft ?? item.answer
    box.querySelectorAll('button').forEach(button => {
      button.setAttribute('aria-pressed', String(button.dataset.class === chosen))
      button.disabled = !this.can('approve')
    })
  }

  classSearch(buttons) {
    const field = make('input')
    field.placeholder = 'Search a class'
    field.setAttribute('aria-label', 'Search a class')
    const matches = () => buttons.filter(button => button.dataset.class.toLowerCase().includes(field.value.trim().toLowerCase()))
    field.oninput = () => { const shown = matches(); buttons.forEach(button => { button.hidden = !shown.includes(button) }) }
    field.onkeydown = event => {
      event.stopPropagation()
      if (event.key === 'Enter' && matches().length) { const [first] = matches(); field.value = ''; field.oninput(); this.$('.card').focus(); this.choose(first.dataset.class) }
      if (event.key === 'Escape') { field.value = ''; field.oninput(); this.$('.card').focus() }
    }
    return field
  }

  hintOf(item) {
    if (this.data.locked) return this.data.locked
    if (item.isGone) return 'This item was decided elsewhere meanwhile.'
    if (item.refused) return `Not done: ${item.refused}`
    if (item.draft !== undefined) return 'Chosen, not saved yet: press A to approve.'
    if (item.hint) return item.hint
    if (this.data.classes.length) return this.isQuick ? 'Choosing a class approves it at once (G).' : 'Choose with 1 to 9, approve with A; G does both at once.'
    return ''
  }
}

const titled = name => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ')

export default function (component) {
  const { data, parentElement: root } = component
  if (!CARDS.has(data.card)) CARDS.set(data.card, new Card())
  const card = CARDS.get(data.card)
  card.attach(root)
  card.receive(component)
  return () => card.detach(root)
}
