# The commands of `make demo`: at most five minutes on 2 cores.
set -eu
run=$(disentangle train beta-vae chairs-parametric --beta 2 --latents 7 --kl-warmup 3000 \
    --network burgess --lr 1e-3 --batch-size 32 --steps 9000 --seed 0)
disentangle score "$run"
disentangle traverse "$run" --base random --base 12000
echo
echo "The table:    results/scores.md (and scores.csv)"
echo "The pictures: $run/figures/: traversals, reconstructions, samples, KL over training"
