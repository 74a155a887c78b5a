// What a JSON Schema says about the fields of an answer: how each is edited, and what is wrong with a value.

const TOO_LONG_NUMBER = /\d{16,}/ // JavaScript would round it
const TYPE_WORDS = {
  string: 'Give a text.', number: 'Give a number.', integer: 'Give a whole number.', boolean: 'Choose yes or no.',
  array: 'Give a list.', object: 'Give an object.',
}
const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const isFormable = schema => isObject(schema) && isObject(schema.properties) && Object.keys(schema.properties).length > 0
const isExact = text => !TOO_LONG_NUMBER.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'))
const typesOf = schema => [].concat(schema.type ?? []).filter(type => type !== 'null')

// text, number, boolean, choice, choices, lines, group, or json for what has no field of its own
function kindOf(schema, value, isNested) {
  if (!isObject(schema) || ['anyOf', 'oneOf', 'allOf', 'not', 'if', '$ref', 'const'].some(word => word in schema)) return 'json'
  const [type, ...more] = typesOf(schema), given = value !== undefined && value !== null
  if (Array.isArray(schema.enum) && type !== 'array' && type !== 'object') return given && typeof value === 'object' ? 'json' : 'choice'
  if (more.length) return 'json'
  if (type === 'string' || type === 'number' || type === 'integer') return given && typeof value === 'object' ? 'json' : type === 'string' ? 'text' : 'number'
  if (type === 'boolean') return given && typeof value !== 'boolean' ? 'json' : 'boolean'
  if (type === 'array') return arrayKind(isObject(schema.items) ? schema.items : {}, value, given)
  return type === 'object' && !isNested && isFormable(schema) && (!given || isObject(value)) ? 'group' : 'json'
}

function arrayKind(items, value, given) {
  if (given && !Array.isArray(value)) return 'json'
  if (Array.isArray(items.enum)) return !given || (value.every(each => items.enum.includes(each)) && new Set(value).size === value.length) ? 'choices' : 'json'
  const [type, ...more] = typesOf(items)
  const isPlain = !given || value.every(each => typeof each === 'string' && each.trim() === each && each && !each.includes('\n'))
  return type === 'string' && !more.length && isPlain ? 'lines' : 'json'
}

// why a value does not follow the schema of its field, as a sentence; empty when it does
function faultOfValue(schema, value, isRequired) {
  if (!isObject(schema)) return ''
  if (value === undefined || (value === null && ![].concat(schema.type ?? []).includes('null'))) return isRequired ? 'This field is needed.' : ''
  if (value === null) return ''
  const types = typesOf(schema)
  if (types.length && !types.some(type => isOfType(type, value))) return TYPE_WORDS[types[0]] ?? ''
  if (Array.isArray(schema.enum) && !schema.enum.some(option => JSON.stringify(option) === JSON.stringify(value))) return `Choose one of ${schema.enum.slice(0, 8).join(', ')}.`
  if (typeof value === 'number') return faultOfNumber(schema, value)
  if (typeof value === 'string') return faultOfText(schema, value)
  if (Array.isArray(value)) return faultOfList(schema, value)
  return isObject(value) && isFormable(schema) ? schemaFaults(schema, value)[0] ?? '' : ''
}

const isOfType = (type, value) => ({
  string: typeof value === 'string', number: typeof value === 'number', integer: Number.isInteger(value),
  boolean: typeof value === 'boolean', array: Array.isArray(value), object: isObject(value),
})[type] ?? true

function faultOfNumber(schema, value) {
  if (value < schema.minimum) return `At least ${schema.minimum}.`
  if (value > schema.maximum) return `At most ${schema.maximum}.`
  if (value <= schema.exclusiveMinimum) return `More than ${schema.exclusiveMinimum}.`
  if (value >= schema.exclusiveMaximum) return `Less than ${schema.exclusiveMaximum}.`
  return ''
}

function faultOfText(schema, value) {
  const length = [...value].length
  if (length < schema.minLength) return `At least ${schema.minLength} characters.`
  if (length > schema.maxLength) return `At most ${schema.maxLength} characters; these are ${length}.`
  if (typeof schema.pattern === 'string') {
    try { if (!new RegExp(schema.pattern, 'u').test(value)) return `Does not follow the pattern ${schema.pattern}` } catch { return '' } // the server knows it
  }
  return ''
}

function faultOfList(schema, value) {
  if (value.length < schema.minItems) return `At least ${schema.minItems} entries.`
  if (value.length > schema.maxItems) return `At most ${schema.maxItems} entries.`
  if (schema.uniqueItems && new Set(value.map(each => JSON.stringify(each))).size < value.length) return 'Each entry only once.'
  const wrong = isObject(schema.items) ? value.map(each => faultOfValue(schema.items, each, true)).findIndex(Boolean) : -1
  return wrong < 0 ? '' : `Entry ${wrong + 1}: ${faultOfValue(schema.items, value[wrong], true)}`
}

// all faults of an answer, each with the name of its field
function schemaFaults(schema, value) {
  if (!isFormable(schema)) return []
  if (!isObject(value)) return ['The answer is not a JSON object.']
  const required = new Set(schema.required ?? [])
  return Object.entries(schema.properties).map(([name, part]) => {
    const fault = faultOfValue(part, value[name], required.has(name))
    return fault && `${name}: ${fault}`
  }).filter(Boolean)
}
