# verl trains on rows that maskprep makes: keys of maskprep's configuration stand under data.maskprep.
torchrun --standalone --nproc_per_node=8 -m verl.trainer.sft_trainer \
    data.train_files=sample_data/conversations.jsonl \
    data.custom_cls.path=pkg://maskprep.integrations.verl \
    data.custom_cls.name=MaskedDataset \
    +data.maskprep.history=split \
    +data.maskprep.max_expansion=10 \
    +data.maskprep.max_rejects=0.2 \
    data.pad_mode=no_padding \
    data.max_length=1024 \
    model.path=Qwen/Qwen3-0.6B
