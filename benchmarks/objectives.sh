# The runs of docs/results.md#objectives; python benchmarks/objectives.py run FOLDER makes the same, and goes on where it stopped.
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective sft --out objectives/tool-use/00
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective filtered-sft --out objectives/tool-use/01
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective forward-kl --out objectives/tool-use/02
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective reverse-kl --out objectives/tool-use/03
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective reverse-kl --set params.objective.reverse-kl.own_share=1.0 --out objectives/tool-use/04
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective on-policy-kl --out objectives/tool-use/05
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective on-policy-kl --set params.objective.on-policy-kl.warmup=0.5 --out objectives/tool-use/06
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective grpo --out objectives/tool-use/07
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective grpo --set params.objective.grpo.warmup=0.5 --out objectives/tool-use/08
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective kdrl --out objectives/tool-use/09
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective kdrl --set params.objective.kdrl.warmup=0.5 --out objectives/tool-use/10
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective rlad --out objectives/tool-use/11
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objective rlad --set params.objective.rlad.warmup=0.5 --out objectives/tool-use/12
readbench run --suite tool-use --allocators task-static --seeds 600,601,602,603,604 --objectives sft,forward-kl,reverse-kl --budgets 3e4,6e4,12e4 --out objectives/tool-use/budgets
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective sft --out objectives/reasoning/00
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective filtered-sft --out objectives/reasoning/01
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective forward-kl --out objectives/reasoning/02
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective reverse-kl --out objectives/reasoning/03
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective reverse-kl --set params.objective.reverse-kl.own_share=1.0 --out objectives/reasoning/04
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective on-policy-kl --out objectives/reasoning/05
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective on-policy-kl --set params.objective.on-policy-kl.warmup=0.5 --out objectives/reasoning/06
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective grpo --out objectives/reasoning/07
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective grpo --set params.objective.grpo.warmup=0.5 --out objectives/reasoning/08
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective kdrl --out objectives/reasoning/09
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective kdrl --set params.objective.kdrl.warmup=0.5 --out objectives/reasoning/10
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective rlad --out objectives/reasoning/11
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objective rlad --set params.objective.rlad.warmup=0.5 --out objectives/reasoning/12
readbench run --suite reasoning --allocators task-static --seeds 600,601,602,603,604 --objectives sft,forward-kl,reverse-kl --budgets 3e4,6e4,12e4 --out objectives/reasoning/budgets
