"""maskprep inside other packages, which make their rows themselves: a module for each, imported by that package alone.

    axolotl.py      a prompt strategy, and a plug-in that reads files itself
    automodel.py    a data set for NeMo Automodel's ``_target_``
    olmo.py         arrays for OLMo-core
    renderers.py    a renderer for any chat template, for the package of that name
    tinker.py       a data set builder for the cookbook of tinker
    verl.py         a data set for verl's ``data.custom_cls``

Each takes the keys of maskprep's configuration where that trainer lets one write them, and hands over the rows that
``Masker.map`` makes. TRL and Unsloth take these as they are: ``examples/trl_sft.py``.
"""
