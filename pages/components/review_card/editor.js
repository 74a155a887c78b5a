// The editor of one answer, or of the reason for a flag: a form, JSON text or text, with validation.

class AnswerEditor {
  constructor(root, { onInput, onSave, onClose, onDiscard, onSettled }) {
    this.box = root.querySelector('.form')
    Object.assign(this, { onInput, onSave, onClose, onSettled, mode: '', form: null })
    this.$('textarea').oninput = () => this.typed()
    this.$('.switch').onclick = () => this.change()
    this.$('.save').onclick = () => onSave()
    this.$('.cancel').onclick = () => onClose()
    this.$('.discard').onclick = () => onDiscard()
    this.box.addEventListener('keydown', event => this.key(event))
    this.box.addEventListener('focusout', () => onSettled())
  }

  $(selector) { return this.box.querySelector(selector) }

  open(mode, text, rules) {
    Object.assign(this, { mode, rules, text, warned: null, form: null })
    const isEdit = mode === 'edit', isJson = isEdit && rules.kind === 'structured'
    this.$('.label').textContent = isEdit ? 'Edit the answer' : 'Reason for the flag'
    this.$('textarea').placeholder = isEdit ? '' : 'What needs a second look?'
    this.$('textarea').className = isJson ? 'json' : ''
    this.$('.save').replaceChildren(isEdit ? 'Save and approve ' : 'Flag ', make('kbd', isEdit ? 'Ctrl Enter' : 'Enter'))
    this.$('.discard').hidden = !isEdit
    this.hasForm = isJson && isFormable(rules.schema)
    this.show(this.hasForm && localStorage.getItem('review-json') !== '1' && !this.reasonForText(text) ? 'form' : 'text')
    this.say('')
    this.focus()
  }

  show(way) {
    this.form = way === 'form' ? new SchemaForm(this.rules.schema, this.text.trim() ? JSON.parse(this.text) : {}, () => this.typed()) : null
    const fields = this.$(':scope > .fields'), area = this.$('textarea')
    fields.replaceChildren(...(this.form?.elements ?? []))
    fields.hidden = !this.form
    area.parentElement.hidden = !!this.form
    area.value = this.text
    const button = this.$('.switch')
    button.hidden = !this.hasForm
    button.textContent = this.form ? 'JSON text' : 'Form'
  }

  // from the form to JSON text and back: what was typed goes along
  change() {
    const hard = this.form ? this.form.check().hard : 0, text = hard ? '' : this.current()
    const reason = hard ? 'A field holds no JSON yet.' : this.form ? '' : this.reasonForText(text)
    if (reason) return this.say(reason)
    this.text = text
    this.show(this.form ? 'text' : 'form')
    localStorage.setItem('review-json', this.form ? '0' : '1')
    this.say('')
    return this.focus()
  }

  reasonForText(text) {
    if (!text.trim()) return ''
    const value = parsed(text)
    if (value === undefined) return 'This is not JSON: the form cannot show it.'
    if (!isObject(value)) return 'This is not a JSON object: the form cannot show it.'
    return isExact(text) ? '' : 'A number here has more digits than the form can hold.'
  }

  focus() { if (this.form) this.form.focus(); else this.$('textarea').focus() }

  // the answer as it stands; undefined while a field holds JSON that cannot be read
  current() {
    if (!this.form) return this.$('textarea').value
    if (!this.form.isTouched) return this.text
    try { return JSON.stringify(this.form.value(), null, 2) } catch { return undefined }
  }

  typed() {
    this.warned = null
    this.onInput(this.current())
  }

  // why the answer cannot be saved; what only breaks the schema is saved at the second try
  fault() {
    const text = this.current()
    if (this.mode === 'flag') return text.trim() ? '' : 'A flag needs a reason.'
    const { hard, soft } = this.form ? this.form.check() : { hard: 0, soft: 0 }
    if (hard) return 'A field holds no JSON.'
    if (!text.trim() || (this.form && text === '{}')) return 'The answer is empty.'
    if (this.rules.kind !== 'structured') return ''
    let value
    try { value = JSON.parse(text) } catch (error) { return `This is not JSON: ${error.message}` }
    const faults = this.form ? [] : schemaFaults(this.rules.schema, value)
    if ((!soft && !faults.length) || this.warned === text) return ''
    this.warned = text
    const again = 'Save once more to keep it all the same.'
    return faults.length ? [...faults.slice(0, 5), again].join('\n') : `${soft === 1 ? 'One field does' : `${soft} fields do`} not follow the schema. ${again}`
  }

  say(fault) {
    this.$(':scope > .fault').textContent = fault
    this.$(':scope > .fault').hidden = !fault
    if (fault && this.form) this.form.focus()
  }

  key(event) {
    event.stopPropagation()
    if (event.isComposing) return
    const isWith = event.ctrlKey || event.metaKey
    const isSave = event.key === 'Enter' && (isWith || (this.mode === 'flag' && !event.shiftKey))
    if (isSave || (isWith && event.key.toLowerCase() === 's')) { event.preventDefault(); this.onSave() }
    else if (event.key === 'Escape') { event.preventDefault(); this.onClose() }
  }
}
