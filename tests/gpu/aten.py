#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many operations of PyTorch on small tensors, in three types. Prints what PyTorch itself refuses. Knows nothing of ekkatrace."""
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.manual_seed(0)
d = "cuda"


def mk(*shape, dt):
    return torch.randn(*shape).to(dt).to(d)


def attempt(operations):
    for number, operation in enumerate(operations):
        try:
            operation()
        except (RuntimeError, ValueError, TypeError) as e:
            print(number, str(e).splitlines()[0][:100])


for dt in (torch.bfloat16, torch.float16, torch.float32):
    x, y, w, b = mk(4, 37, 256, dt=dt), mk(4, 37, 256, dt=dt), mk(256, dt=dt), mk(256, dt=dt)
    attempt([
        lambda: x+y,
        lambda: x+2.5,
        lambda: 1.5-x,
        lambda: x*y,
        lambda: x*0.3,
        lambda: x/y,
        lambda: x/3.0,
        lambda: x-y,
        lambda: torch.add(x,y,alpha=0.5),
        lambda: x.pow(2),
        lambda: x.pow(3),
        lambda: x.abs().pow(0.5),
        lambda: x.abs().sqrt(),
        lambda: x.abs().rsqrt(),
        lambda: -x,
        lambda: x.exp(),
        lambda: x.abs().log(),
        lambda: x.cos(),
        lambda: x.sin(),
        lambda: x.tanh(),
        lambda: x.sigmoid(),
        lambda: F.silu(x),
        lambda: F.gelu(x),
        lambda: F.gelu(x,approximate='tanh'),
        lambda: F.relu(x),
        lambda: x.clamp(-1,1),
        lambda: x.abs(),
        lambda: x.erf(),
        lambda: x.reciprocal(),
        lambda: F.softplus(x),
        lambda: F.leaky_relu(x,0.1),
        lambda: x.float(),
        lambda: x.to(torch.bfloat16),
        lambda: x.to(torch.float16),
        lambda: x.half().float(),
        lambda: x.double(),
        lambda: x>y,
        lambda: x==y,
        lambda: x<=0.5,
        lambda: x!=0,
        lambda: torch.where(x>0,x,y),
        lambda: x.masked_fill(x>0, -1.0),
        lambda: torch.maximum(x,y),
        lambda: torch.minimum(x,y),
        lambda: torch.addcmul(x,y,y,value=0.5),
        lambda: torch.addcdiv(x,y,y.abs()+1),
        lambda: torch.lerp(x,y,0.3),
        lambda: x.transpose(1,2).contiguous(),
        lambda: x.permute(2,0,1).contiguous(),
        lambda: x[:,::2].contiguous(),
        lambda: (x.transpose(0,1)+y.transpose(0,1)),
        lambda: (x*100).to(torch.float8_e4m3fn).to(dt),
        lambda: (x*100).to(torch.float8_e5m2).to(dt),
        lambda: x.double().to(torch.float8_e4m3fn).to(torch.float8_e5m2),
        lambda: x[:,::2].transpose(1,2).to(torch.float8_e4m3fn),
        lambda: 10000.0**x,
        lambda: torch.clamp(x,-y.abs(),w.abs()),
        lambda: torch.nan_to_num(x/torch.where(x>0,0,x),1.0,2.0,3.0),
        lambda: torch.frac(x*3),
        lambda: F.hardswish(x*3),
        lambda: F.hardsigmoid(x*3),
        lambda: F.logsigmoid(x*30),
        lambda: F.threshold(x,0.1,20.0),
        lambda: torch.floor_divide(x*9,y),
        lambda: torch.floor_divide(x*9,0.7),
        lambda: F.mse_loss(x,y,reduction='none'),
        lambda: torch.fmax(x,y),
        lambda: torch.fmin(x,y[:,:1]),
        lambda: x+w,
        lambda: x*w,
        lambda: x[...,:128]*x[...,128:],
        lambda: torch.cat((x,y),-1),
        lambda: torch.cat((-x[...,128:],x[...,:128]),-1),
        lambda: torch.cat((x,y),1),
        lambda: torch.stack((x,y)),
        lambda: torch.cat([x,y,x,y,x],0),
        lambda: x.sum(),
        lambda: x.sum(-1),
        lambda: x.sum(0),
        lambda: x.sum((0,1)),
        lambda: x.mean(-1),
        lambda: x.mean(),
        lambda: x.mean(-1,keepdim=True),
        lambda: x.amax(-1),
        lambda: x.amin(-1),
        lambda: x.max(-1),
        lambda: x.min(0),
        lambda: x.argmax(-1),
        lambda: x.argmin(-1),
        lambda: x.var(-1),
        lambda: x.std(-1),
        lambda: x.norm(dim=-1),
        lambda: x.prod(-1),
        lambda: (x>0).any(),
        lambda: (x>0).all(-1),
        lambda: (x>0).sum(-1),
        lambda: torch.logsumexp(x,-1),
        lambda: x.softmax(-1),
        lambda: x.log_softmax(-1),
        lambda: mk(8,4096,dt=dt).softmax(-1),
        lambda: mk(8,32000,dt=dt).softmax(-1),
        lambda: mk(8,32000,dt=dt).log_softmax(-1),
        lambda: x.softmax(-1,dtype=torch.float32),
        lambda: x.softmax(1),
        lambda: F.layer_norm(x,(256,),w,b),
        lambda: F.layer_norm(x,(256,)),
        lambda: F.rms_norm(x,(256,),w,1e-6),
        lambda: F.layer_norm(mk(8,2050,dt=dt),(2050,)),
        lambda: F.rms_norm(mk(8,2048,dt=dt),(2048,),None,1e-6),
        lambda: F.group_norm(mk(2,32,8,8,dt=dt),4),
        lambda: F.group_norm(mk(2,32,8,8,dt=dt),4,mk(32,dt=dt),mk(32,dt=dt)),
        lambda: F.group_norm(mk(2,32,8,8,dt=dt),4,mk(32,dt=dt)),
        lambda: F.group_norm(mk(6,32,dt=dt),4,mk(32,dt=dt),mk(32,dt=dt)),
        lambda: F.group_norm(mk(6,32,dt=dt),4,None,mk(32,dt=dt)),
        lambda: F.group_norm(mk(6,32,dt=dt),4,mk(32,dt=dt)),
        lambda: F.group_norm(mk(6,32,dt=dt),4),
        lambda: F.batch_norm(mk(2,32,8,8,dt=dt),torch.zeros(32,device=d),torch.ones(32,device=d)) if dt==torch.float32 else None,
        lambda: x.cumsum(-1),
        lambda: x.cumsum(1),
        lambda: x.cumprod(-1),
        lambda: x.cummax(-1),
        lambda: x.cummin(1),
        lambda: x.kthvalue(3,-1),
        lambda: x.median(-1),
        lambda: x.nanmedian(1),
        lambda: x.sort(-1),
        lambda: x.topk(5,-1),
        lambda: mk(8,32000,dt=dt).sort(-1),
        lambda: mk(8,32000,dt=dt).topk(50,-1),
        lambda: mk(2,100000,dt=dt).argsort(-1),
        lambda: mk(8,32000,dt=dt).sort(-1,descending=True),
        lambda: mk(150,5000,dt=dt).sort(-1),
        lambda: mk(150,5000,dt=dt).sort(-1,descending=True),
        lambda: mk(1,128256,dt=dt).sort(-1),
        lambda: mk(8,32000,dt=dt).topk(50,-1,largest=False),
        lambda: mk(1,128256,dt=dt).topk(100,-1),
        lambda: mk(32000,dt=dt).cumsum(0),
        lambda: mk(32000,dt=dt).cumprod(0),
        lambda: x.triu(),
        lambda: x.tril(1),
        lambda: x.fill_(0.5),
        lambda: torch.zeros_like(x),
        lambda: torch.ones(7,3,dtype=dt,device=d),
        lambda: x.clone(),
        lambda: x.flip(-1),
        lambda: x.repeat(2,1,1),
        lambda: x.repeat_interleave(2,1),
        lambda: x.roll(1,-1),
        lambda: F.pad(x,(1,2)),
        lambda: F.pad(x[None],(1,2,3,4),mode='reflect'),
        lambda: x[:,None].expand(4,3,37,256).reshape(12,37,256),
        lambda: F.glu(x),
        lambda: F.dropout(x,0.0),
        lambda: torch.bernoulli(x.sigmoid()),
        lambda: torch.multinomial(x[0].float().softmax(-1),1),
        lambda: torch.empty(600,1000,dtype=dt,device=d).uniform_(-0.3,0.4),
        lambda: torch.empty(600,1000,dtype=dt,device=d).normal_(0.1,2.0),
        lambda: torch.empty(64,64,dtype=dt,device=d)[:,::2].normal_(),
        lambda: torch.empty(600,1000,dtype=dt,device=d).bernoulli_(0.25),
        lambda: torch.empty(600,1000,dtype=dt,device=d).exponential_(2.0),
        lambda: torch.empty(600,1000,dtype=dt,device=d).log_normal_(),
        lambda: torch.empty(600,1000,dtype=dt,device=d).random_(),
        lambda: torch.empty(600,1000,dtype=dt,device=d).random_(3,100),
        lambda: F.interpolate(mk(1,3,8,8,dt=dt),scale_factor=2),
        lambda: F.interpolate(mk(2,8,9,7,dt=dt).contiguous(memory_format=torch.channels_last),scale_factor=2),
        lambda: F.interpolate(mk(2,3,9,dt=dt),size=25),
        lambda: F.interpolate(mk(2,8,9,7,dt=dt),size=(20,21),mode='bilinear'),
        lambda: F.interpolate(mk(2,8,9,7,dt=dt),size=(20,21),mode='bilinear',align_corners=True),
        lambda: F.interpolate(mk(2,8,9,7,dt=dt).contiguous(memory_format=torch.channels_last),scale_factor=2,mode='bilinear'),
        lambda: F.max_pool2d(mk(1,3,8,8,dt=dt),2),
        lambda: F.avg_pool2d(mk(1,3,8,8,dt=dt),2),
        lambda: F.max_pool2d(mk(2,16,19,17,dt=dt),3,2,1),
        lambda: F.max_pool2d(mk(2,16,19,17,dt=dt).contiguous(memory_format=torch.channels_last),3,2,1),
        lambda: F.avg_pool2d(mk(2,16,19,17,dt=dt),3,2,1),
        lambda: F.avg_pool2d(mk(2,16,19,17,dt=dt),3,2,1,count_include_pad=False),
        lambda: F.avg_pool2d(mk(2,16,19,17,dt=dt).contiguous(memory_format=torch.channels_last),3,2,1,divisor_override=7),
        lambda: F.adaptive_avg_pool2d(mk(2,16,16,12,dt=dt),(4,3)),
        lambda: F.conv2d(mk(2,16,12,12,dt=dt),mk(8,16,3,3,dt=dt)),
        lambda: F.conv1d(mk(2,16,24,dt=dt),mk(8,16,3,dt=dt),padding=1),
        lambda: F.conv2d(mk(2,16,12,12,dt=dt),mk(16,1,3,3,dt=dt),padding=1,groups=16),
        lambda: F.batch_norm(mk(2,32,8,8,dt=dt).contiguous(memory_format=torch.channels_last),torch.zeros(32,device=d),torch.ones(32,device=d),torch.ones(32,device=d),torch.zeros(32,device=d)),
        lambda: F.conv1d(mk(2,16,24,dt=dt),mk(16,1,3,dt=dt),padding=1,groups=16),
    ])
    x = mk(4, 37, 256, dt=dt)
    emb = mk(1000, 256, dt=dt)
    idx = torch.randint(0, 1000, (4, 37)).to(d)
    li = torch.stack([torch.randperm(37)[:5] for _ in range(4 * 256)]).view(4, 256, 5).transpose(1, 2).contiguous().to(d)
    attempt([
        lambda: F.embedding(idx,emb),
        lambda: emb[idx],
        lambda: emb.index_select(0,idx.view(-1)),
        lambda: x.gather(1,li),
        lambda: x[torch.arange(4,device=d),idx[:,0]%37],
        lambda: x.scatter(1,li,1.0),
        lambda: x.scatter(1,li,x[:,:5]),
        lambda: x.scatter_add(1,li,x[:,:5]),
        lambda: x.index_copy(1,torch.tensor([1,3],device=d),x[:,:2]),
        lambda: x.index_add(1,torch.tensor([1,3],device=d),x[:,:2]),
        lambda: x.index_put((torch.tensor([0,1],device=d),),x[:2]),
        lambda: emb.index_put((idx,),x,accumulate=True),
        lambda: emb[:,:20].contiguous().index_put((idx,),x[...,:20],accumulate=True),
        lambda: emb[:,0].contiguous().index_put((idx,),x[...,0],accumulate=True),
        lambda: x.index_put((torch.arange(4,device=d)[:,None],idx%37),mk(4,37,256,dt=dt),accumulate=True),
        lambda: torch.ops.aten.index_put(x,[None,idx[0]%37],x,True),
        lambda: F.embedding_bag(idx,emb),
        lambda: F.embedding_bag(idx,emb,mode='sum'),
        lambda: F.embedding_bag(idx,emb,mode='max'),
        lambda: F.embedding_bag(idx.view(-1),emb,torch.tensor([0,5,5,80],device=d),mode='mean',padding_idx=int(idx[0,0])),
        lambda: F.embedding_bag(idx.view(-1).int(),emb[:,::2],torch.tensor([0,5,5,80,148],device=d,dtype=torch.int32),mode='sum',include_last_offset=True,
                                per_sample_weights=x[...,0].reshape(-1)),
        lambda: torch.searchsorted(x[0,:,:].float().sort(-1)[0].to(dt),x[1]),
        lambda: torch.searchsorted(w.sort()[0],x,right=True,out_int32=True),
        lambda: torch.searchsorted(x[0],x[1],sorter=x[0].float().argsort(-1)),
        lambda: torch.bucketize(x,w.sort()[0]),
        lambda: x.masked_select(x>0),
        lambda: x[x>0],
        lambda: (x>0).nonzero(),
        lambda: torch.take_along_dim(x,li,1),
        lambda: F.one_hot(idx,1000),
        lambda: x.masked_scatter(x>0,y),
    ])
attempt([
    lambda: torch.arange(10,device=d),
    lambda: torch.arange(0,1,0.1,device=d),
    lambda: torch.arange(5,device=d).float(),
    lambda: torch.linspace(0,1,7,device=d),
    lambda: torch.arange(10,device=d)[None]+torch.arange(3,device=d)[:,None],
    lambda: torch.arange(10,device=d)//3,
    lambda: torch.arange(10,device=d)%3,
    lambda: (torch.arange(10,device=d)>3)&(torch.arange(10,device=d)<7),
    lambda: ~(torch.arange(10,device=d)>3),
    lambda: torch.full((3,3),float('-inf'),device=d).triu(1),
    lambda: torch.arange(10,device=d).cumsum(0),
    lambda: torch.ones(4,9,dtype=torch.int64,device=d).cumsum(-1),
    lambda: torch.eye(5,device=d),
    lambda: torch.arange(10,device=d).to(torch.int32),
    lambda: torch.arange(10,device=d).eq(3).any(),
    lambda: torch.isin(torch.arange(10,device=d),torch.tensor([1,2],device=d)),
    lambda: torch.arange(10,device=d).max(),
    lambda: torch.unique(torch.arange(10,device=d)//2),
    lambda: torch.bincount(torch.arange(10,device=d)//2),
    lambda: torch.bincount(torch.randint(0,3000,(100000,),device=d)),
    lambda: torch.histc(torch.randint(0,90,(10000,),device=d).float(),10),
    lambda: torch.unique(torch.randint(-500,500,(100000,),device=d)),
    lambda: torch.randint(-500,500,(8,32000),device=d).sort(-1),
    lambda: torch.randint(-500,500,(8,32000),device=d,dtype=torch.int32).sort(-1,descending=True),
    lambda: torch.randint(0,200,(8,32000),device=d,dtype=torch.uint8).sort(-1),
    lambda: (torch.randint(0,200,(8,32000),device=d)>100).sort(-1),
    lambda: torch.randint(-500,500,(8,32000),device=d).topk(20,-1),
    lambda: torch.randint(-500,500,(8,32000),device=d,dtype=torch.int32).topk(20,-1),
    lambda: (torch.randint(0,9,(300,),device=d)>3).nonzero(),
    lambda: torch.randint(0,9,(50,70,90),device=d).nonzero(),
    lambda: torch.randn(100,device=d),
    lambda: torch.rand(100,device=d),
    lambda: torch.rand(600,1000,device=d,dtype=torch.float64),
    lambda: torch.randn(600,1000,device=d,dtype=torch.float64),
    lambda: torch.randint(0,1000,(600,1000),device=d),
    lambda: torch.randint(0,1<<40,(600,1000),device=d),
    lambda: torch.randint(0,100,(600,1000),device=d,dtype=torch.int32),
    lambda: torch.empty(600,1000,device=d,dtype=torch.int64).random_(),
    lambda: torch.arange(10,device=d)<<1,
    lambda: torch.isnan(torch.randn(3,device=d)).any(),
    lambda: torch.arange(6,device=d).view(2,3).logical_not(),
    lambda: torch.logical_and(torch.ones(3,device=d),torch.zeros(3,device=d)),
])

for dt in (torch.bfloat16, torch.float16, torch.float32):
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH):
        for hk, causal, lq, lk, masked in ((8, True, 64, 64, 0), (8, False, 64, 64, 0), (2, True, 64, 64, 0), (8, False, 1, 77, 0),
                                           (8, False, 3, 77, 1), (8, False, 64, 64, 1)):
            for hd in (64, 128):
                q, k, v = mk(2, 8, lq, hd, dt=dt), mk(2, hk, lk, hd, dt=dt), mk(2, hk, lk, hd, dt=dt)
                mask = (torch.randn(2, 1, lq, lk) > 0).to(d) if masked else None
                if mask is not None:
                    mask[..., 0] = True
                with sdpa_kernel(backend), torch.no_grad():
                    attempt([lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=hk != 8)])

# Few queries and many keys: split among blocks.
for dt in (torch.bfloat16, torch.float16):
    for hk, lq, lk, causal in ((8, 1, 3000, False), (2, 1, 5000, False), (8, 7, 2049, True)):
        for hd in (64, 96, 128):
            q, k, v = mk(1, 8, lq, hd, dt=dt), mk(1, hk, lk, hd, dt=dt), mk(1, hk, lk, hd, dt=dt)
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION), torch.no_grad():
                attempt([lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=hk != 8)])

# Sequences packed one behind another.
for dt in (torch.bfloat16, torch.float16):
    for lq, lk in (((5, 70, 1, 128), None), ((1, 1, 1), (77, 300, 5)), ((9, 40, 33), (64, 41, 200))):
        for hd, causal, left in ((64, True, -1), (128, False, -1), (96, True, 16)):
            nq, nk = sum(lq), sum(lk or lq)
            q, k, v = mk(nq, 8, hd, dt=dt), mk(nk, 2, hd, dt=dt), mk(nk, 2, hd, dt=dt)
            cu = [torch.tensor((0,) + n, dtype=torch.int32).cumsum(0).to(torch.int32).to(d) for n in (lq, lk or lq)]
            cu_k = cu[1] if lk else cu[0]
            attempt([lambda: torch.ops.aten._flash_attention_forward(q, k, v, cu[0], cu_k, max(lq), max(lk or lq), 0.0, causal, False, scale=0.2,
                                                                     window_size_left=left, window_size_right=0 if causal else -1)])
torch.cuda.synchronize()
