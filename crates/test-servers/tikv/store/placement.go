package main

import (
	"context"
	"sync/atomic"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/log"
	"github.com/pingcap/tidb/store/mockstore/unistore/pd"
	"github.com/pingcap/tidb/store/mockstore/unistore/tikv"
	"github.com/pingcap/tidb/util/codec"
)

// placement is the client of the placement driver, with two things done as TiKV does them.
type placement struct {
	pd.Client
	store atomic.Value // *tikv.Server, once it is made
}

// PutStore sends a heartbeat at once. The first one of the store itself comes after ten seconds, and until then the placement
// driver takes it for disconnected and puts nothing there.
func (p *placement) PutStore(ctx context.Context, store *metapb.Store) error {
	if err := p.Client.PutStore(ctx, store); err != nil {
		return err
	}
	// Room enough that data is put there; the next heartbeat has the true figures.
	const capacity = 1 << 40
	stats := &pdpb.StoreStats{StoreId: store.Id, Capacity: capacity, Available: capacity}
	if err := p.Client.StoreHeartbeat(ctx, stats); err != nil {
		log.S().Error(err)
	}
	return nil
}

// SetRegionHeartbeatResponseHandler keeps orders to split at given keys from the store, which would split in the middle.
func (p *placement) SetRegionHeartbeatResponseHandler(handle func(*pdpb.RegionHeartbeatResponse)) {
	p.Client.SetRegionHeartbeatResponseHandler(func(order *pdpb.RegionHeartbeatResponse) {
		split := order.GetSplitRegion()
		if split == nil || split.Policy != pdpb.CheckPolicy_USEKEY || len(split.Keys) == 0 {
			handle(order)
			return
		}
		// It waits for raft, and the next order must not wait for it.
		go p.split(order)
	})
}

func (p *placement) split(order *pdpb.RegionHeartbeatResponse) {
	store, made := p.store.Load().(*tikv.Server)
	if !made {
		return // the order is repeated with every heartbeat
	}
	request := &kvrpcpb.SplitRegionRequest{Context: &kvrpcpb.Context{
		RegionId:    order.RegionId,
		RegionEpoch: order.RegionEpoch,
		Peer:        order.TargetPeer,
	}}
	for _, encoded := range order.GetSplitRegion().Keys {
		_, key, err := codec.DecodeBytes(encoded, nil)
		if err != nil {
			log.S().Error(err)
			return
		}
		request.SplitKeys = append(request.SplitKeys, key)
	}
	// A refusal is one of an order that was repeated before it was carried out.
	if _, err := store.SplitRegion(context.Background(), request); err != nil {
		log.S().Error(err)
	}
}
