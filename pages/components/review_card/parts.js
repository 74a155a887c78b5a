// Small parts that the others are made of. All files of the review card are one module, in the order that Python names.
// All text goes through textContent.

// what scrolls must be reachable by keys; whether it scrolls is known once it has a size, and changes with it
const sizes = new ResizeObserver(entries => entries.forEach(({ target }) => {
  if (target.scrollHeight > target.clientHeight) target.tabIndex = 0
  else target.removeAttribute('tabindex')
}))
const scrollable = element => { sizes.observe(element); return element }

const make = (tag, text, className) => {
  const element = document.createElement(tag)
  if (text !== undefined) element.textContent = text
  if (className) element.className = className
  return element
}
const makeButton = (text, onclick, className) => Object.assign(make('button', text, className), { type: 'button', onclick })
const directed = element => { element.dir = 'auto'; return element } // texts may run from right to left

const parsed = text => { try { return JSON.parse(text) } catch { return undefined } }
const same = (left, right) => {
  const plain = text => { const value = parsed(text); return value === undefined ? text.trim() : JSON.stringify(value) }
  return plain(left) === plain(right)
}
const titled = name => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ')
const clockTime = iso => {
  const moment = new Date(iso), isToday = moment.toDateString() === new Date().toDateString()
  const time = moment.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  return isToday ? time : `${moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}, ${time}`
}
