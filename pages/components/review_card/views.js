// How the parts of an item look: its source, its answer and what changed, its classes, its badges.

// source, prompt and pictures; drawn anew only when they change, so that scrolling and selecting stay
class SourceView {
  constructor(box) { this.box = box }

  draw(item) {
    if (this.drawn === item.mark) return
    this.drawn = item.mark
    const parts = item.variables.map(({ name, text }) => {
      const part = make('div')
      const value = make('div', text, text.length > 80 || text.includes('\n') ? 'value long' : 'value')
      part.append(make('div', name, 'label'), scrollable(directed(value)))
      return part
    })
    this.box.replaceChildren(...item.pictures.map(address => this.picture(item, address)), ...parts, this.prompt(item))
  }

  message(title, text) {
    this.drawn = null
    this.box.replaceChildren(make('b', title), make('span', text))
  }

  prompt(item) {
    const prompt = make('details'), question = make('div', item.prompt, 'value long')
    prompt.open = this.isPromptOpen ?? !item.variables.length
    prompt.ontoggle = () => { this.isPromptOpen = prompt.open }
    prompt.append(make('summary', 'Prompt'), scrollable(directed(question)))
    return prompt
  }

  picture(item, address) {
    const image = make('img')
    image.className = 'picture'
    image.alt = `The picture ${item.ref}`
    image.onerror = () => image.replaceWith(make('div', 'This picture cannot be shown.', 'label'))
    image.src = address
    return image
  }
}

// the answer, or what changed in it since the first one
class AnswerView {
  constructor(root, onToggle) {
    this.box = root.querySelector('.answer')
    this.title = root.querySelector('.answer-title')
    this.toggle = root.querySelector('.changes')
    this.toggle.onclick = onToggle
    scrollable(directed(this.box))
  }

  // the text to compare with: the first answer, or the stored one while a draft is on top of it
  base(item) {
    const text = item.draft ?? item.answer, base = item.original ?? (item.draft === undefined ? null : item.answer)
    return !base || same(base, text) ? null : base // there was something before
  }

  draw(item, rules, isWanted) {
    const text = item.draft ?? item.answer, base = this.base(item), isDiff = base !== null && isWanted
    this.toggle.hidden = base === null
    this.toggle.setAttribute('aria-pressed', String(isDiff))
    this.title.textContent = isDiff ? `Changes to the ${item.original === null ? 'stored' : 'first'} answer` : item.draft === undefined ? 'Answer' : 'Your draft'
    const title = name => rules.classes.find(each => each.name === name)?.title ?? name
    if (isDiff && rules.kind === 'label') this.box.replaceChildren(make('del', title(base)), ' ', make('ins', title(text) || 'no answer'))
    else if (isDiff) drawChanges(this.box, base, text)
    else this.box.textContent = rules.kind === 'label' && text ? title(text) : text || 'No answer yet.'
    this.box.className = `answer ${text || isDiff ? { label: 'class', structured: 'json', text: '' }[rules.kind] : 'none'}`
  }
}

// the classes as buttons, with a search when there are many, and what the chosen one means
class ClassesView {
  constructor(root, { onChoose, onLeave }) {
    Object.assign(this, { box: root.querySelector('.classes'), about: root.querySelector('.about'), onChoose, onLeave })
    scrollable(directed(this.about))
  }

  draw(item, rules, isEnabled) {
    if (this.drawn !== rules.mark) this.build(rules)
    const chosen = item.draft ?? item.answer
    this.buttons.forEach(button => {
      button.setAttribute('aria-pressed', String(button.dataset.class === chosen))
      button.disabled = !isEnabled
    })
    this.explain(rules.classes.find(each => each.name === chosen))
  }

  build(rules) {
    this.drawn = rules.mark
    this.buttons = rules.classes.map(each => {
      const button = makeButton('', () => this.onChoose(each.name))
      if (each.color) button.append(this.dot(each.color))
      button.append(directed(make('span', each.title)))
      if (each.key) button.append(make('kbd', each.key.toUpperCase()))
      button.dataset.class = each.name
      button.onfocus = button.onpointerenter = () => this.explain(each)
      return button
    })
    const list = make('div', undefined, 'class-list')
    list.append(...this.buttons)
    this.box.replaceChildren(...(rules.classes.length > 12 ? [this.search(rules.classes)] : []), scrollable(list))
  }

  dot(color) {
    const dot = make('i', undefined, 'dot')
    dot.style.background = color
    return dot
  }

  explain(each) {
    this.about.textContent = each?.description ?? ''
    this.about.hidden = !each?.description
  }

  search(classes) {
    const field = make('input')
    field.placeholder = `Search ${classes.length} classes`
    field.setAttribute('aria-label', 'Search a class')
    const texts = classes.map(each => `${each.title} ${each.name}`.toLowerCase())
    const matches = () => this.buttons.filter((_, place) => texts[place].includes(field.value.trim().toLowerCase()))
    const filter = () => { const shown = new Set(matches()); this.buttons.forEach(button => { button.hidden = !shown.has(button) }) }
    const leave = () => { field.value = ''; filter(); this.onLeave() }
    field.oninput = filter
    field.onkeydown = event => {
      event.stopPropagation()
      const [first] = matches()
      if (event.key === 'Enter' && first) { leave(); this.onChoose(first.dataset.class) }
      if (event.key === 'Escape') leave()
    }
    return field
  }
}

function badgesOf(item, colors) {
  const made = [make('span', titled(item.status), `badge ${colors[item.status] || 'gray'}`)]
  for (const badge of item.badges) made.push(Object.assign(make('span', badge.text, `badge ${badge.color}`), { title: badge.help || badge.text }))
  if (item.canonical) made.push(Object.assign(make('span', `Canonical: ${item.canonical}`, 'badge violet'), { title: item.canonical }))
  return made
}

function otherLabels(item) {
  if (!item.others.length) return []
  const chips = item.others.map(({ type, answer }) => {
    const chip = Object.assign(directed(make('span', undefined, 'chip')), { title: `${type}: ${answer}` })
    chip.append(make('b', `${type}: `), answer.slice(0, 120))
    return chip
  })
  return [make('div', 'Labels of other types', 'label'), ...chips]
}

const VERBS = { approve: 'approve', edit: 'save', reject: 'reject', flag: 'flag', reopen: 'reopen' }
const STATUS_WORDS = { pending: 'changed', approved: 'approved', edited: 'edited', rejected: 'rejected', flagged: 'flagged' }

// who was first on an item, and what was wanted here
function drawConflict(box, { by, at, status, answer, mine }) {
  const theirs = make('p'), own = make('p')
  theirs.append(make('b', by), ` ${STATUS_WORDS[status]} this item at ${clockTime(at)}. The answer is now: `, directed(make('q', answer.slice(0, 400) || 'no answer')))
  own.append(`You wanted to ${VERBS[mine.action]} it`, ...(['approve', 'edit'].includes(mine.action) ? [' as: ', directed(make('q', mine.text.slice(0, 400)))] : [mine.note ? `: ${mine.note}` : '.']))
  box.querySelector('.what').replaceChildren(theirs, own)
}
