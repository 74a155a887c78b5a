"""The Ontos ML Workbench without its pages: every feature, and the adapters that connect it to the outside.

One line for every file; a feature has the same name in pages/, schemas/ and tests/.

Shared by all features
    workbench             composition root: one Workbench holds every service; open_workbench(settings)
    cached                the workbench of this process and the cached reads; the only module that knows Streamlit
    cached_quality        the cached reads of data quality
    cached_files          the cached reads of folders and files
    cached_generation     the cached reads of generation: pre-flights, language models
    cached_exports        the cached reads of exports: counts, previews, samples
    cached_review         the cached reads of the review desk: pages of pairs, counts, what undo would do
    cached_label_sets     the cached reads of label sets
    settings              one frozen Settings, read from the environment and a file of language models once
    ports                 what features need from outside: Store, Lake, ChatModel, Embedder, Trainer, Tracker, Serving
    errors                every error a person can meet: a sentence and a hint
    lifecycle             a state machine as one table
    clock                 time and identifiers, passed in
    rows                  typed values out of store rows
    history               who did what, and when
    permissions           roles and what each may do
    usage                 usage governance: uses, presets, how rules combine
    installation          the parts, whether each is ready, how they are configured, versions
    runs                  long work: the row that tells the truth, and the worker
    __main__              the workbench without a browser

Data
    catalog               tables and folders of the lake, previews, uploads, archives, imports by path
    documents             texts, PDF pages and audio from people's files, ready to show
    text_encodings        which encoding a text file has, and files of any encoding as UTF-8
    pictures              pictures from people's files, made small and safe to show
    sheets                named pointers to source data with roles, filter and sample
    data_quality          rules on rows, runs that check them, the fix queue, what is set aside

Generate and label
    chat_models           the language models: prices, speed, and answers kept so that nothing is paid twice
    prompt_rendering      templates rendered in a sandbox, with bounded loops and output
    schema_checks         JSON Schema as answers of models are checked with it, in linear time
    prompt_templates      versioned recipes that turn rows into prompts
    training_sheets       a template applied to a sheet: pre-flight, generation, review
    pairs                 questions and answers, the decisions about them, undo
    label_sets            the allowed answers of label types: classes, response schemas, versions
    canonical_labels      answers given once and reused everywhere
    eligibility           why a pair may not be used for something, as pure functions
    exports               training sheets as files for tuning, divided without leaks, with a manifest

Train
    training_gate         the dual gate and the split, as pure functions
    training_jobs         submit, run, watch, cancel and retry trainings
    reference_profile     what a version expects to see, for drift
    model_versions        registered versions and exactly what went into them
    evaluations           versions scored on held-out items; two versions compared

Deploy and monitor
    endpoints             versions that answer requests; every change kept
    feedback              thumbs, corrections and comments on answers
    monitoring            requests, latency, errors, drift and health
    alerts                standing conditions and their incidents

Improve
    gaps                  weak slices found, kept, and proven closed
    labeling_tasks        work made from a gap, its held-out part set aside first
    loop                  the loop at a glance, and what waits

Numbers
    statistics            intervals, tests, resampling, profiles, drift
    metrics               scores of answers, and comparisons
    slices                describable groups of items that fail more often

Beside
    demo                  the demo data, and the walk round the loop
    adapters              the ports for each backend; local is complete
"""
