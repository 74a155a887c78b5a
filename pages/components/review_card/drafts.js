// Answers that are being written: kept on the server while the person types, until they decide.

const DRAFT_AFTER = 600 // milliseconds without typing

class Drafts {
  constructor(send, onChange) { Object.assign(this, { send, onChange, item: null, timer: 0 }) }

  // keep the draft of an item soon
  later(item) {
    if (this.item !== item) this.save()
    clearTimeout(this.timer)
    Object.assign(item, { draftState: 'open', savedAt: '' })
    this.item = item
    this.timer = setTimeout(() => this.save(), DRAFT_AFTER)
  }

  // the item was decided: its decision says it all
  forget(item) {
    if (this.item !== item) return
    clearTimeout(this.timer)
    this.item = null
  }

  save() { if (this.item) this.keep(this.item) }

  keep(item) {
    this.forget(item)
    const draft = item.draft ?? '', isLatest = () => (item.draft ?? '') === draft
    Object.assign(item, { draftState: 'sent', savedAt: '', isOldDraft: false })
    this.send({ action: 'draft', pair_id: item.id, row_version: item.version, answer: draft }, {
      done: ({ saved_at: at }) => { if (isLatest()) Object.assign(item, { draftState: '', savedAt: draft.trim() ? at : '' }) },
      refused: ({ reason }) => { if (isLatest()) Object.assign(item, { draftState: reason }) },
    })
    this.onChange()
  }

  words(item) {
    if (item.draft === undefined) return ''
    if (item.savedAt) return `Saved as draft ${clockTime(item.savedAt)}${item.isOldDraft ? ', on an older answer' : ''}`
    if (item.draftState === 'open' || item.draftState === 'sent') return 'Saving the draft …'
    return item.draftState ? `The draft is not saved: ${item.draftState}` : ''
  }
}
