"""PyTorch by hand: rows as one tensor, index_select of each batch, Adam(fused=True), CosineAnnealingLR; its weights."""

import track

options = track.arguments()
import torch  # noqa: E402

track.tell("imported")
torch.manual_seed(options.seed)
train, train_labels, test, test_labels = (torch.from_numpy(part.copy()) for part in track.load(options.data))
train, test = ((part.float() - 255 * track.MEAN) / (255 * track.SPREAD) for part in (train, test))
train_labels, test_labels = train_labels.long(), test_labels.long()
layers: list[torch.nn.Module] = []
for d, h in zip(options.units, options.units[1:], strict=False):
    layers += [torch.nn.Linear(d, h), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers[:-1])
optimizer = torch.optim.Adam(
    model.parameters(), lr=track.RATE, betas=(track.BETA1, track.BETA2), eps=track.EPSILON, fused=True
)
steps = options.epochs * -(-len(train) // options.batch)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
for epoch in range(1, options.epochs + 1):
    for rows in torch.randperm(len(train)).split(options.batch):
        logits = model(train.index_select(0, rows))
        loss = torch.nn.functional.cross_entropy(logits, train_labels.index_select(0, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        accuracy = (model(test).argmax(dim=1) == test_labels).float().mean()
    track.lap(epoch, float(accuracy))
track.finish(options)
