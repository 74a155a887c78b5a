// The prompt field in the browser: a plain text area over a coloured copy of its text. All text goes through textContent.
const EDITORS = new WeakMap()
const PAUSE = 350 // milliseconds without a key before the text is sent
const FEW = 8 // columns that are offered at first
const PIECES = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}|\{#[\s\S]*?#\}/g
const NAME = /^\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)/

class Editor {
  constructor(root) {
    this.$ = selector => root.querySelector(selector)
    this.area = this.$('textarea')
    this.isNew = true
    this.area.addEventListener('input', () => { this.draw(); this.later() })
    this.area.addEventListener('blur', () => this.send())
    this.area.addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.send() }
      if (event.key.toLowerCase() === 's' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault()
        this.send()
        this.component.setTriggerValue('save', true)
      }
      event.stopPropagation() // shortcuts of the page are not meant while typing
    })
  }

  receive(component) {
    const { data } = component
    this.component = component
    this.data = data
    if (this.isNew) { this.area.value = this.sent = data.text }
    this.isNew = false
    this.area.disabled = !data.is_open
    this.area.setAttribute('aria-invalid', String(Object.keys(data.marks).length > 0))
    this.$('label').textContent = data.label
    this.$('.help').textContent = data.help
    this.$('.help').hidden = !data.is_open
    this.$('.box').style.setProperty('--lines', data.lines)
    this.drawColumns(data.is_open ? data.columns : [])
    this.draw()
  }

  later() { clearTimeout(this.timer); this.timer = setTimeout(() => this.send(), PAUSE) }

  send() {
    clearTimeout(this.timer)
    if (this.area.value === this.sent || !this.data.is_open) return
    this.sent = this.area.value
    this.component.setStateValue('typed', this.sent)
  }

  insert(name) {
    const text = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : name.replace(/\W+/g, '_').replace(/^(?=\d)/, '_')
    this.area.focus()
    if (!document.execCommand('insertText', false, `{{ ${text} }}`)) { // keeps what Ctrl+Z can take back
      this.area.setRangeText(`{{ ${text} }}`, this.area.selectionStart, this.area.selectionEnd, 'end')
      this.draw()
    }
    this.send()
  }

  drawColumns(names) {
    const drawn = names.join('\n')
    if (this.drawn === drawn) return
    this.drawn = drawn
    const group = this.$('.columns')
    group.hidden = !names.length
    const title = document.createElement('span')
    title.textContent = 'Put in'
    const more = document.createElement('button')
    more.type = 'button'
    more.textContent = `${names.length - FEW} more columns`
    more.onclick = () => { group.querySelectorAll('button').forEach(button => { button.hidden = false }); more.remove(); this.area.focus() }
    const rest = names.length > FEW + 1 ? [more] : []
    group.replaceChildren(title, ...names.map((name, index) => {
      const button = document.createElement('button')
      button.type = 'button'
      button.textContent = name
      button.title = `Put in the column ${name} where the cursor is`
      button.onmousedown = event => event.preventDefault() // the cursor stays where it is
      button.onclick = () => this.insert(name)
      button.hidden = rest.length > 0 && index >= FEW
      return button
    }), ...rest)
  }

  draw() { // one block for each line, so that a long line that wraps keeps one number
    const marks = this.sent === this.area.value ? this.data.marks : {}
    const lines = [document.createElement('div')]
    const add = (text, className) => text.split('\n').forEach((part, index) => {
      if (index) lines.push(document.createElement('div'))
      if (!part) return
      const span = document.createElement('span')
      span.textContent = part
      if (className) span.className = className
      lines[lines.length - 1].append(span)
    })
    const text = this.area.value
    let end = 0
    for (const found of this.data.is_jinja ? text.matchAll(PIECES) : []) {
      add(text.slice(end, found.index))
      add(found[0], this.classOf(found[0]))
      end = found.index + found[0].length
    }
    add(text.slice(end))
    lines.forEach((line, index) => {
      if (!line.firstChild) line.append(document.createElement('br'))
      const mark = marks[index + 1]
      if (mark) line.className = 'fault'
    })
    this.$('pre').replaceChildren(...lines)
  }

  classOf(piece) {
    if (piece.startsWith('{#')) return 'remark'
    if (piece.startsWith('{%')) return 'block'
    return `value ${this.data.states[(NAME.exec(piece) || [])[1]] || ''}`
  }
}

export default function (component) {
  const root = component.parentElement
  if (!EDITORS.has(root)) EDITORS.set(root, new Editor(root))
  const editor = EDITORS.get(root)
  editor.receive(component)
  return () => editor.send()
}
