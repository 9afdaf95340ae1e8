"""Trainers that make their rows themselves, and let maskprep do it: a module for each, imported by that trainer alone.

    axolotl.py      a prompt strategy, and a plug-in that reads files itself
    automodel.py    a data set for NeMo Automodel's ``_target_``
    olmo.py         arrays for OLMo-core
    tinker.py       a data set builder for the cookbook of tinker
    verl.py         a data set for verl's ``data.custom_cls``

Each takes the keys of maskprep's configuration where that trainer lets one write them, and hands over the rows that
``Masker.map`` makes. TRL and Unsloth take these as they are: ``examples/trl_sft.py``.
"""
