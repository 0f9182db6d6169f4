"""Does preparing images of hands help to classify them? From a folder of photos to a report.

The modules, in the order in which a run needs them:

    data          which photos there are, and what each is for
    arms          the ways to prepare them, each an ordinary `Pipeline`
    preparation   every photo through every arm, once
    cost          what an arm costs, beside its detector alone
    model         the network, the same for all arms
    train         one network, trained and asked
    runs          all networks: arms x seeds, and each origin left out once; resumable
    statistics    intervals, McNemar's test, the bootstrap
    analysis      what the runs say, as plain values: results.json
    findings      what that means, in sentences
    figures       curves and example images
    document      paragraphs, tables and figures, as Markdown and as HTML
    report        the document that a run ends with
    cli           the command line of run_experiment.py
    public, fetch the public sets, fetched and verified
    render, rooms the embedded set, made anew

A run can be killed at any time: every file is whole or not there, and what is finished is not done again.
"""
