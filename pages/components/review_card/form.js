// A form for a structured answer, made from its JSON Schema. A field that nobody touches gives back what it was given.

const MOST_CHIPS = 8 // options shown side by side; more go into a list
let fieldCount = 0

class SchemaField {
  constructor(name, schema, { isRequired, value, isNested, onInput }) {
    Object.assign(this, { name, schema, isRequired, initial: value, isTouched: false })
    this.kind = kindOf(schema, value, isNested)
    this.id = `review-field-${++fieldCount}`
    this.touched = () => { this.isTouched = true; onInput() }
    this.element = make(['choice', 'choices', 'boolean', 'group'].includes(this.kind) ? 'fieldset' : 'div', undefined, `field ${this.kind}`)
    this.element.dataset.field = name
    this.element.append(this.heading(), this.control(), this.note())
  }

  heading() {
    const isSet = this.element.tagName === 'FIELDSET', made = make(isSet ? 'legend' : 'label', this.name, 'label')
    if (!isSet) made.htmlFor = this.id
    if (!this.isRequired) made.append(make('small', ' optional'))
    return made
  }

  note() {
    const box = make('div', undefined, 'under'), about = this.schema?.description
    this.fault = Object.assign(make('div', '', 'fault'), { id: `${this.id}-fault`, hidden: true })
    this.fault.setAttribute('role', 'alert')
    if (typeof about === 'string' && about) box.append(directed(make('small', about)))
    box.append(this.fault)
    return box
  }

  control() {
    if (this.kind === 'group') return this.group()
    if (this.kind === 'choices') return this.chips(this.schema.items.enum, 'checkbox')
    if (this.kind === 'boolean') return this.chips([true, false], 'radio')
    if (this.kind === 'choice') return this.schema.enum.length > MOST_CHIPS ? this.list() : this.chips(this.schema.enum, 'radio')
    const isLong = this.kind !== 'number', input = directed(make(isLong ? 'textarea' : 'input'))
    Object.assign(input, { id: this.id, value: this.shown(), oninput: this.touched })
    if (isLong) input.rows = this.kind === 'text' ? (String(this.initial ?? '').length > 60 ? 3 : 1) : 3
    else input.inputMode = 'decimal'
    if (this.kind === 'lines') input.placeholder = 'One entry a line'
    if (this.kind === 'json') input.className = 'json'
    this.input = input
    return input
  }

  shown() {
    if (this.initial === undefined || this.initial === null) return ''
    if (this.kind === 'lines') return this.initial.join('\n')
    return this.kind === 'json' ? JSON.stringify(this.initial, null, 2) : String(this.initial)
  }

  chips(options, type) {
    const box = make('div', undefined, 'chips'), isOptional = type === 'radio' && !this.isRequired
    const shown = isOptional ? [...options, undefined] : options
    this.boxes = shown.map((option, place) => {
      const input = Object.assign(make('input'), { type, name: this.id, id: `${this.id}-${place}`, onchange: this.touched })
      input.checked = type === 'checkbox' ? (this.initial ?? []).includes(option) : option === (this.initial ?? undefined)
      const label = directed(make('label', option === undefined ? 'Not given' : option === true ? 'Yes' : option === false ? 'No' : String(option)))
      label.htmlFor = input.id
      if (option === undefined) label.className = 'nothing'
      box.append(input, label)
      return { input, option }
    })
    this.input = this.boxes[0]?.input
    return box
  }

  list() {
    const input = Object.assign(make('select'), { id: this.id, onchange: this.touched })
    input.setAttribute('aria-label', this.name)
    const options = ['', ...this.schema.enum.map((_, place) => String(place))]
    input.append(...options.map(place => Object.assign(make('option', place === '' ? '–' : String(this.schema.enum[place])), { value: place })))
    input.value = String(this.schema.enum.indexOf(this.initial)).replace('-1', '')
    this.input = input
    return input
  }

  group() {
    const required = new Set(this.schema.required ?? []), given = isObject(this.initial) ? this.initial : {}
    this.fields = Object.entries(this.schema.properties).map(([name, part]) =>
      new SchemaField(name, part, { isRequired: required.has(name), value: given[name], isNested: true, onInput: this.touched }))
    this.input = this.fields[0]?.input
    const box = make('div', undefined, 'fields')
    box.append(...this.fields.map(field => field.element))
    return box
  }

  // what stands in the field; JSON that cannot be read throws
  value() {
    if (!this.isTouched) return this.initial
    if (this.kind === 'group') return collected(this.fields, isObject(this.initial) ? this.initial : {}, !this.isRequired)
    if (this.kind === 'choices') return this.boxes.filter(({ input }) => input.checked).map(({ option }) => option)
    if (this.boxes) return this.boxes.find(({ input }) => input.checked)?.option
    const text = this.input.value
    if (this.kind === 'choice') return text === '' ? undefined : this.schema.enum[text]
    if (this.kind === 'lines') return text.split('\n').map(line => line.trim()).filter(Boolean)
    if (!text.trim()) return undefined
    if (this.kind === 'json') return JSON.parse(text)
    if (this.kind === 'number') return Number.isFinite(Number(text)) ? Number(text) : text
    return text
  }

  // show what is wrong here; gives hard faults, which no answer can be made of, and soft ones
  check() {
    let fault = '', isHard = false, inner = { hard: 0, soft: 0 }
    if (this.kind === 'group') inner = checkedFields(this.fields)
    try {
      const value = this.value()
      fault = this.kind === 'group' && value !== undefined ? '' : faultOfValue(this.schema, value, this.isRequired)
    } catch (error) {
      fault = this.kind === 'group' ? '' : `This is not JSON: ${error.message}`
      isHard = this.kind !== 'group'
    }
    this.fault.textContent = fault
    this.fault.hidden = !fault
    this.input?.setAttribute('aria-invalid', String(!!fault))
    this.input?.setAttribute('aria-describedby', this.fault.id)
    return { hard: inner.hard + (isHard ? 1 : 0), soft: inner.soft + (fault && !isHard ? 1 : 0) }
  }
}

function collected(fields, given, isDroppable) {
  const values = { ...given }
  for (const field of fields) {
    const value = field.value()
    if (value === undefined) delete values[field.name]
    else values[field.name] = value
  }
  return isDroppable && !Object.keys(values).length ? undefined : values
}

function checkedFields(fields) {
  return fields.map(field => field.check()).reduce((sum, each) => ({ hard: sum.hard + each.hard, soft: sum.soft + each.soft }), { hard: 0, soft: 0 })
}

class SchemaForm {
  constructor(schema, value, onInput) {
    const required = new Set(schema.required ?? [])
    this.given = value
    this.fields = Object.entries(schema.properties).map(([name, part]) =>
      new SchemaField(name, part, { isRequired: required.has(name), value: value[name], onInput }))
    const extra = Object.keys(value).filter(name => !(name in schema.properties))
    this.elements = this.fields.map(field => field.element)
    if (extra.length) this.elements.push(make('small', `Kept as they are, to change as JSON text: ${extra.join(', ')}`))
  }

  get isTouched() { return this.fields.some(field => field.isTouched) }
  value() { return collected(this.fields, this.given, false) }
  check() { return checkedFields(this.fields) }
  focus() { (this.fields.find(field => !field.fault.hidden) ?? this.fields[0])?.input?.focus() }
}
